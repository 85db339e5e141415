"""Putting an image onto another base: its lowest layers exchanged, nothing built anew.

`elf` reads what a library needs and gives, `abi` says whether the app's files still fit (pure), `rebase` writes the new
image.
"""
