"""Taking out of an image what static facts prove unused, and keeping the list of it.

`imports` reads who imports whom, `plan` decides file by file (pure), `hook` says at run time what is not there any
more, `rewrite` makes the new image of the old one's layers. That the smaller image still starts and answers is proved
elsewhere, by running it.
"""
