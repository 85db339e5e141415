"""`.dockerignore`: which paths stay out of a build. Pure.

As builders read it: patterns hang on the root of the context, `**` crosses directories, `!` takes back, the last
match decides.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ignore:
    """The patterns of one file, compiled, with whether each takes back."""

    patterns: Sequence[tuple[bool, re.Pattern[str]]] = ()

    def covers(self, path: str) -> bool:
        """Whether `path` (relative, with `/`) is left out; a directory's pattern covers all that is in it."""
        parts = path.strip("/").split("/")
        prefixes = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        out = False
        for keeps, pattern in self.patterns:
            if out == keeps and any(pattern.fullmatch(prefix) for prefix in prefixes):
                out = not keeps
        return out


def parse(text: str) -> Ignore:
    """The patterns of a `.dockerignore`; lines that say nothing are skipped."""
    found = []
    for line in text.splitlines():
        pattern = line.strip()
        if not pattern or line.startswith("#"):
            continue
        keeps = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip().strip("/")
        if pattern and pattern != ".":
            found.append((keeps, re.compile(_expression(pattern))))
    return Ignore(tuple(found))


def _expression(pattern: str) -> str:
    out, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif pattern.startswith("**", at):
            out, at = out + ".*", at + 2
        elif pattern[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif pattern[at] == "?":
            out, at = out + "[^/]", at + 1
        elif pattern[at] == "[" and (end := pattern.find("]", at + 1)) > 0:
            out, at = out + pattern[at : end + 1].replace("[!", "[^"), end + 1
        elif pattern[at] == "\\" and at + 1 < len(pattern):
            out, at = out + re.escape(pattern[at + 1]), at + 2
        else:
            out, at = out + re.escape(pattern[at]), at + 1
    return out
