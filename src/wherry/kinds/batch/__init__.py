"""Kinds of the batch API group."""
