"""Checks of manifests (M), and of manifests, Dockerfile and app at once (X). Pure; the words are `images.check`'s.

`manifests` is what the rules look at, `rules_*` judge, `check` runs them and takes out what is allowed with a reason.
"""
