"""What changed of a folder since its layer was made, as a layer on top of that one: for who edits and looks at once.

The files are those of the whole layer made anew; the image is another, as it hangs on what was built before.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from wherry.images.layers.content import directory, parents
from wherry.images.layers.tar import Member, write_entries
from wherry.images.layout import LAYER, Descriptor, Layout

LEAST = 512 << 10  # bytes of a layer below which it is quicker to make it anew
_MOST_BYTES, _MOST_NAMES = 2 << 20, 200
_REMOVED = ".wh."


@dataclass(frozen=True)
class Contents:
    """Names in a layer. Of the files `below` is a directory that all are in."""

    files: frozenset[str]
    directories: frozenset[str]
    below: str

    @property
    def every_directory(self) -> frozenset[str]:
        """With those that the files stand in."""
        return self.directories.union({self.below}, *(parents(name, self.below) for name in self.files))


def small(size: int, fresh: Sequence[Member], before: Contents, now: Contents) -> bool:
    """Whether a layer of `size` bytes is better left as it is, below one with the changes."""
    names = len(fresh) + len(before.files - now.files)
    known = sum(len(one.data) for one in fresh if isinstance(one.data, bytes))
    whole = not any(isinstance(one.data, Path) for one in fresh)  # what is not held in memory is large
    return size >= LEAST and whole and known <= _MOST_BYTES and names <= _MOST_NAMES


def layer(layout: Layout, fresh: Sequence[Member], before: Contents, now: Contents) -> Descriptor:
    """The layer that makes `now` of `before`; `fresh` are the files of it that changed."""
    removed = [Member(name=name, mode=0o644, data=b"") for name in _removed(before, now)]
    files = [*fresh, *removed]
    new = now.every_directory - before.every_directory
    folders = new.union({now.below}, *(parents(one.name, now.below) for one in files))
    members = sorted(chain(files, map(directory, folders)), key=lambda one: os.fsencode(one.name))
    with layout.writer() as blob:
        write_entries(members, blob)
        return blob.commit(LAYER)


def _removed(before: Contents, now: Contents) -> Iterator[str]:
    """Whiteouts: of a directory that is gone one is enough, and what has another kind now needs none."""
    gone = before.every_directory - now.every_directory
    for name in sorted((before.files - now.files) | gone):
        there = name in now.files or name in now.every_directory
        if not there and not gone & parents(name, before.below):
            place, _, last = name.rpartition("/")
            yield f"{place}/{_REMOVED}{last}"
