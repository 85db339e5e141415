"""Layers written by wherry itself: the same files give the same bytes, on every machine."""
