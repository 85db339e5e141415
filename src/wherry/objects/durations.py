"""Durations as people read them in `kubectl get` (ages), and as Go writes them (`1h30m`)."""

import re
from datetime import timedelta

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400
_UNITS = {"ns": 10**-3, "us": 1, "µs": 1, "μs": 1, "ms": 10**3, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")


def human(age: timedelta) -> str:
    """Two or three digits that matter: `95s`, `2m5s`, `3h20m`, `5d`, `2y41d`."""
    seconds = int(age.total_seconds())
    if seconds < 0:
        return "0s" if seconds >= -1 else "<invalid>"
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < 10 * _MINUTE:
        return _two(seconds, _MINUTE, "m", 1, "s")
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 8 * _HOUR:
        return _two(seconds, _HOUR, "h", _MINUTE, "m")
    if seconds < 48 * _HOUR:
        return f"{seconds // _HOUR}h"
    if seconds < 8 * _DAY:
        return _two(seconds, _DAY, "d", _HOUR, "h")
    if seconds < 2 * _YEAR:
        return f"{seconds // _DAY}d"
    if seconds < 8 * _YEAR:
        return _two(seconds, _YEAR, "y", _DAY, "d")
    return f"{seconds // _YEAR}y"


def _two(seconds: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = seconds % large // small
    return f"{seconds // large}{large_name}" + (f"{rest}{small_name}" if rest else "")


def human_short(age: timedelta) -> str:
    """One unit only, as in the `LAST SEEN` of events of old: `5m`, `3h`, `2d`."""
    seconds = int(age.total_seconds())
    if seconds < 0:
        return "0s" if seconds >= -1 else "<invalid>"
    for unit, limit, name in ((1, _MINUTE, "s"), (_MINUTE, _HOUR, "m"), (_HOUR, _DAY, "h"), (_DAY, _YEAR, "d")):
        if seconds < limit:
            return f"{seconds // unit}{name}"
    return f"{seconds // _YEAR}y"


def parse_go(text: str) -> timedelta:
    """`1h30m`, `-1.5s`, `0`: Go's time.ParseDuration, to the microsecond."""
    body = text.lstrip("+-") if len(text) - len(text.lstrip("+-")) <= 1 else ""
    parts = _PART.findall(body)
    if body != "0" and (not parts or "".join(number + unit for number, unit in parts) != body):
        raise ValueError(f'time: invalid duration "{text}"')
    micros = sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        return timedelta(microseconds=-micros if text.startswith("-") else micros)
    except OverflowError:
        raise ValueError(f'time: invalid duration "{text}"') from None


def format_go(duration: timedelta) -> str:
    """`1h30m0s`, `1.5s`, `250ms`, `0s`: Go's Duration.String."""
    micros = duration // timedelta(microseconds=1)
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    if micros == 0:
        return "0s"
    if micros < 1000:
        return f"{sign}{micros}µs"
    if micros < 10**6:
        return f"{sign}{_decimal(micros, 1000)}ms"
    minutes, rest = divmod(micros, 60 * 10**6)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_decimal(rest, 10**6)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"


def _decimal(number: int, unit: int) -> str:
    whole, rest = divmod(number, unit)
    fraction = str(rest).zfill(len(str(unit)) - 1).rstrip("0")
    return f"{whole}.{fraction}" if fraction else str(whole)
