"""metav1.Time and metav1.MicroTime: RFC 3339 text of the API to and from aware datetimes. Nothing here asks a clock."""

import re
from datetime import UTC, datetime
from functools import lru_cache

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)",
    re.ASCII,
)


def format_time(moment: datetime) -> str:
    """`2006-01-02T15:04:05Z`: whole seconds, as creationTimestamp and most others have it."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"


def format_micro(moment: datetime) -> str:
    """`2006-01-02T15:04:05.000000Z`, as Leases and Events have it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def parse(text: str) -> datetime:
    """The moment that either form (with any offset and fraction) names; ValueError if it is none."""
    if not _RFC3339.fullmatch(text):
        raise ValueError(f'parsing time "{text}": expected RFC 3339, as 2006-01-02T15:04:05Z')
    try:
        return datetime.fromisoformat(text.replace(",", ".")).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f'parsing time "{text}": {error}') from None


def is_time(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(parse(text))
    except ValueError:
        return False


@lru_cache(4096)  # a patched object comes with the times that it had
def canonical_time(text: str) -> str:
    """How the server prints a Time that a client wrote: UTC, whole seconds."""
    return format_time(parse(text))


@lru_cache(4096)
def canonical_micro(text: str) -> str:
    return format_micro(parse(text))
