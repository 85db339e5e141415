"""Layers written by wherry itself: the same files give the same bytes, on every machine.

`image.build_layers` puts a Python app's image together without a Dockerfile, a daemon or a registry: base,
dependencies, big wheels one by one, app.
"""
