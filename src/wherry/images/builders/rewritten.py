"""A Dockerfile as BuildKit gets it: images by the names by which they were lent, the host's settings in each RUN.

BuildKit has no --volume, and BuildKit of 2020 no named contexts. Its secrets do what is needed: they are in no layer,
in no cache key and in no history. They are mounted into a tmpfs, as their directories would stay in the layer. Lines
keep their numbers.
"""

import re
from collections.abc import Mapping, Sequence

from wherry.images.check.dockerfile import Instruction
from wherry.images.host import MOUNT
from wherry.images.source import Source

_RUN = re.compile(r"^(\s*RUN)(?=\s|$)", re.IGNORECASE)


def rewritten(source: Source, lent: Mapping[str, str], secrets: Sequence[str]) -> str:
    """`lent` maps full names of images to others; `secrets` are paths below MOUNT, which are the secrets' ids too."""
    lines = list(source.dockerfile.lines)
    mounts = "".join(f" --mount=type=secret,id={name},target={MOUNT}/{name},mode=0444" for name in secrets)
    for stage in source.dockerfile.stages:
        _from(source, lines, stage.start, lent.get(source.outside(stage.start) or "", ""))
        for one in stage.instructions:
            if one.name == "RUN" and mounts:
                first = lines[one.line - 1]
                lines[one.line - 1] = _RUN.sub(rf"\1 --mount=type=tmpfs,target={MOUNT}{mounts}", first, count=1)
            elif one.name == "COPY" and (name := lent.get(source.outside(one) or "", "")):
                for number in range(one.line - 1, one.last_line):
                    written = re.escape(one.flag("from") or "")
                    lines[number] = re.sub(rf"(--from=){written}(?=\s|\\|$)", rf"\g<1>{name}", lines[number])
    return "\n".join((*lines, ""))


def _from(source: Source, lines: list[str], start: Instruction, name: str) -> None:
    """FROM in one line, whatever it was; the lines below it are left empty."""
    if name:
        flags = [f"--{key}={value}" for key, value in start.flags]
        lines[start.line - 1 : start.last_line] = [
            " ".join(("FROM", *flags, name, *start.words[1:])),
            *[""] * (start.last_line - start.line),
        ]
