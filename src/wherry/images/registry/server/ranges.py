"""Parts of blobs: Range of a download, Content-Range of a chunk, pages of a list."""

import re
from collections.abc import Sequence

from wherry.images.registry.server.errors import Refused

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_CHUNK = re.compile(r"(?:bytes[ =])?(\d{1,18})-(\d{1,18})(?:/(?:\d+|\*))?")
LARGEST_PAGE = 1000


def wanted(header: str, size: int) -> tuple[int, int] | None:
    """First byte and count of a Range; None for the whole, which more than one range gets too, as HTTP allows."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.group(1, 2) == ("", ""):
        return None
    if match[1]:
        first, last = int(match[1]), min(int(match[2]) if match[2] else size - 1, size - 1)
    else:
        first, last = max(size - int(match[2]), 0), size - 1
    if first > last:
        message = f"the blob has {size} bytes: {header[:60]} is not within"
        raise Refused("SIZE_INVALID", message, status=416, headers={"Content-Range": f"bytes */{size}"})
    return first, last - first + 1


def chunk(header: str) -> tuple[int, int]:
    """First and last byte of a chunk to come."""
    match = _CHUNK.fullmatch(header.strip())
    if match is None or int(match[1]) > int(match[2]):
        raise Refused("BLOB_UPLOAD_INVALID", f"Content-Range is FIRST-LAST, as in 0-1023, and not {header[:60]!r}")
    return int(match[1]), int(match[2])


def page(items: Sequence[str], count: str, last: str) -> tuple[list[str], bool]:
    """Those after `last`, `count` at most, in order; and whether there are more."""
    if count and not (count.isdigit() and len(count) < 10):
        raise Refused("UNSUPPORTED", f"n={count[:20]!r} is no number", status=400)
    most = min(int(count), LARGEST_PAGE) if count else LARGEST_PAGE
    rest = sorted(item for item in items if item > last)
    return rest[:most], len(rest) > most
