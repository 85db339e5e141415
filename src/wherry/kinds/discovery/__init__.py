"""Kinds of the discovery API group."""
