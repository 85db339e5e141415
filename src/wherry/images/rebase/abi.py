"""Whether an app's files fit onto another base: interpreter, libraries, symbol versions, links, user. Pure."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from wherry.images.rebase.elf import Elf

_PYTHON = re.compile(r"(?:^|/)bin/python(3\.\d+)$")
_PACKAGES = re.compile(r"(?:^|/)lib/python(3\.\d+)/(?:site|dist)-packages/")
_SHOWN = 3
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Files:
    """What of some layers the check looks at."""

    paths: frozenset[str] = frozenset()  # of files and links
    links: Mapping[str, str] = field(default_factory=dict)
    elves: Mapping[str, Elf] = field(default_factory=dict)
    users: frozenset[str] = frozenset()  # names of users and groups

    def libraries(self) -> dict[str, frozenset[str]]:
        """The names under which others need its libraries, with the symbol versions that each gives."""
        found: dict[str, frozenset[str]] = {}
        for path, elf in self.elves.items():
            for name in {posixpath.basename(path), elf.soname} - {""}:
                found[name] = found.get(name, frozenset()) | elf.gives
        for path, target in self.links.items():
            name = posixpath.basename(path)
            found.setdefault(name, found.get(posixpath.basename(target), frozenset()))
        return found

    def pythons(self) -> set[str]:
        return {match[1] for path in self.paths if (match := _PYTHON.search(path))}


def unfit(app: Files, old: Files, new: Files, user: str) -> Iterator[str]:
    """Why the app's files do not fit onto `new`, a sentence each; what lacks on `old` as well is no reason."""
    yield from _interpreter(app, old, new)
    yield from _libraries(app, old, new)
    yield from _links(app, old, new)
    for name in user.split(":"):
        if name and not name.isdecimal() and name in old.users - new.users - app.users:
            yield f"it runs as {name}, whom the new base does not know"


def _interpreter(app: Files, old: Files, new: Files) -> Iterator[str]:
    used = {match[1] for path in app.paths if (match := _PACKAGES.search(path))} & (old.pythons() or set())
    for minor in sorted(used - new.pythons() - app.pythons()):
        there = ", ".join(sorted(new.pythons())) or "none"
        yield f"its packages are for Python {minor}, and the new base has {there}"


def _libraries(app: Files, old: Files, new: Files) -> Iterator[str]:
    own, before, after = app.libraries(), old.libraries(), new.libraries()
    missing: dict[str, list[str]] = {}
    for path, elf in sorted(app.elves.items()):
        for name in elf.needed:
            if name not in own and name in before and name not in after:
                missing.setdefault(f"the new base lacks {name}", []).append(path)
        for name, versions in elf.versions.items():
            if name in own or name not in after:
                continue
            for version in sorted(versions - after[name], key=_order):
                if version in before.get(name, frozenset()):
                    newest = _newest(after[name], version)
                    had = f", which goes up to {newest}" if newest else ""
                    missing.setdefault(f"the new base's {name} lacks {version}{had}", []).append(path)
    for what, paths in missing.items():
        yield f"{what}, needed by {_some(paths)}"


def _links(app: Files, old: Files, new: Files) -> Iterator[str]:
    """Links into the base, as a virtual environment's to its interpreter."""
    for path, target in sorted(app.links.items()):
        place = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), target)).lstrip("/")
        if place in old.paths and place not in new.paths | app.paths:
            yield f"/{path} points to /{place}, which the new base lacks"


def _newest(given: Iterable[str], version: str) -> str:
    family = version.rpartition("_")[0]
    alike = [one for one in given if one.rpartition("_")[0] == family and one.rpartition("_")[2][:1].isdigit()]
    return max(alike, key=_order, default="")


def _order(version: str) -> tuple[str, list[int]]:
    return version.rpartition("_")[0], [int(part) for part in _DIGITS.findall(version)]


def _some(paths: list[str]) -> str:
    shown = ", ".join(f"/{path}" for path in paths[:_SHOWN])
    return f"{shown} and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else shown
