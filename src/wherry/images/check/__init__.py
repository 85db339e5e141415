"""Checks of a Dockerfile and its folder: each rule names what it costs, where, and the fix. Pure but for `folder`.

`dockerfile` reads the file, `folder` looks at what is beside it, `rules_*` judge, `check` runs them and takes out what
the author has allowed with a reason, `sarif` writes the findings for other tools.
"""
