"""Kinds of the rbac API group."""
