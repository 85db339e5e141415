"""Which builder is here, and of what version: what it can read follows from that."""

import re

from wherry.images.builders.choice import AUTO, program
from wherry.images.check.folder import Builder
from wherry.process import ProgramError, run

# The BuildKit is that of docker's daemon, whatever client asks it
_ASKED = {"buildah": ("--version",), "docker": ("version", "--format", "{{.Server.Version}}")}
_SECONDS = 10.0


async def at_hand(wanted: str = AUTO) -> Builder | None:
    """The program that would build on this machine if `wanted` were chosen; None where it does not tell its version."""
    name = program(wanted)
    if name is None:
        return None
    try:
        done = await run(name, *_ASKED[name], timeout=_SECONDS, check=False)
    except ProgramError:
        return None
    found = re.search(r"\d+(?:\.\d+)+", done.stdout)
    return Builder(name, tuple(map(int, found[0].split(".")))) if found and not done.code else None
