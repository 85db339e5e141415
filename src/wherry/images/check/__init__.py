"""Checks of a Dockerfile and its folder: each rule names what it costs, where, and the fix. Pure but for `context`.

`dockerfile` reads the file, `context` looks at the folder, `rules_*` judge, `suppress` takes out what the author has
allowed with a reason, `sarif` writes the findings for other tools.
"""
