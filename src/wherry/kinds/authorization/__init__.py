"""Kinds of the authorization API group."""
