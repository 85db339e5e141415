"""Kinds of the scheduling API group."""
