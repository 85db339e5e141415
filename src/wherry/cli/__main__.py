"""`python -m wherry.cli`: the same as `wherry`."""

from wherry.cli import main

main(prog_name="wherry")
