"""Kinds of the authentication API group."""
