"""How old a base image is, and which of its packages have newer versions. Pure; apt tells what there is."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from wherry.images.base.lock import Locked


@dataclass(frozen=True)
class Candidate:
    """What apt would install now."""

    name: str
    version: str
    security: bool  # it comes from the security archive


@dataclass(frozen=True)
class Update:
    """A package that has a newer version than the image."""

    name: str
    has: str
    newer: str
    security: bool


@dataclass(frozen=True)
class Freshness:
    """A base image at a time. `days`: since its newest package was made."""

    reference: str
    days: int
    updates: Sequence[Update]

    @property
    def fixes(self) -> int:
        return sum(one.security for one in self.updates)


def freshness(
    reference: str, created: datetime, now: datetime, packages: Iterable[Locked], candidates: Iterable[Candidate]
) -> Freshness:
    newest = {one.name: one for one in candidates}
    updates = [
        Update(one.name, one.version, newer.version, newer.security)
        for one in packages
        if (newer := newest.get(one.name)) is not None and compare(one.version, newer.version) < 0
    ]
    ordered = sorted(updates, key=lambda one: (not one.security, one.name))
    return Freshness(reference, max((now - created).days, 0), ordered)


def lines(found: Freshness) -> Iterator[str]:
    """A sentence, and a line for each update."""
    counts = [(found.fixes, "security fix", "es"), (len(found.updates) - found.fixes, "other update", "s")]
    said = " and ".join(f"{count} {what}{plural if count > 1 else ''}" for count, what, plural in counts if count)
    yield f"{found.reference}: newest package {found.days} days old, {said or 'nothing newer'}"
    for one in found.updates:
        yield f"  {one.name} {one.has} -> {one.newer}{'  (security)' if one.security else ''}"


def compare(one: str, other: str) -> int:
    """As Debian orders versions (Policy 5.6.12): below 0 where `one` is older."""
    mine, theirs = _split(one), _split(other)
    if mine[0] != theirs[0]:
        return mine[0] - theirs[0]
    return _compare_part(mine[1], theirs[1]) or _compare_part(mine[2], theirs[2])


def _split(version: str) -> tuple[int, str, str]:
    epoch, colon, rest = version.partition(":")
    rest = rest if colon else version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
    return int(epoch) if colon and epoch.isdigit() else 0, upstream, revision


def _compare_part(one: str, other: str) -> int:
    """Words and numbers in turn; the words letter by letter, with their end as a letter of its own."""
    mine, theirs = list(_pairs(one)), list(_pairs(other))
    length = max(len(mine), len(theirs))
    end = ([_weight("")], 0)
    left, right = mine + [end] * (length - len(mine)), theirs + [end] * (length - len(theirs))
    return (left > right) - (left < right)


def _pairs(text: str) -> Iterator[tuple[list[int], int]]:
    for word, number in re.findall(r"(\D*)(\d*)", text):
        if word or number:
            yield [_weight(letter) for letter in (*word, "")], int(number or 0)


def _weight(letter: str) -> int:
    """A tilde before the end, the end before letters, letters before the rest."""
    if letter == "~":
        return -1
    if not letter:
        return 0
    return ord(letter) if letter.isalpha() else ord(letter) + 256
