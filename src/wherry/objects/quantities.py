"""resource.Quantity: exact amounts such as `500m`, `1.5Gi`, `12e6`, and their canonical text.

Kept as a whole number of nano units, the finest that Kubernetes knows; what is finer is rounded away from zero.
"""

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache, total_ordering
from typing import Any

_NANO = 10**9
_MAX_BINARY = (2**63 - 1) * _NANO
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_BINARY_SUFFIX = {exponent: suffix for suffix, exponent in _BINARY.items()} | {0: ""}
_MAX_EXPONENT = 400  # "1e999999999" would be a number of a gigabyte

_FORM = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)")
_EXPONENT = re.compile("[eE]([-+]?[0-9]{1,9})")

FORMAT_WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
SUFFIX_WRONG = "unable to parse quantity's suffix"


class Format(Enum):
    """Which family of suffixes a quantity is printed with: the one it was written with."""

    BINARY_SI = "BinarySI"
    DECIMAL_SI = "DecimalSI"
    DECIMAL_EXPONENT = "DecimalExponent"


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """An amount; equal amounts are equal however they were written."""

    nano: int = 0
    format: Format = Format.DECIMAL_SI
    text: str = field(default="", repr=False)  # as written, where upstream keeps that instead of the canonical form

    def __eq__(self, other: object) -> bool:
        return self.nano == other.nano if isinstance(other, Quantity) else NotImplemented

    def __lt__(self, other: "Quantity") -> bool:
        return self.nano < other.nano

    def __hash__(self) -> int:
        return hash(self.nano)

    def __bool__(self) -> bool:
        return self.nano != 0

    def __add__(self, other: "Quantity") -> "Quantity":
        return Quantity(self.nano + other.nano, self._format_with(other))

    def __sub__(self, other: "Quantity") -> "Quantity":
        return Quantity(self.nano - other.nano, self._format_with(other))

    def __neg__(self) -> "Quantity":
        return Quantity(-self.nano, self.format)

    def __mul__(self, factor: int) -> "Quantity":
        return Quantity(self.nano * factor, self.format)

    def _format_with(self, other: "Quantity") -> Format:
        return self.format if self.nano else other.format

    def value(self) -> int:
        """Whole units (bytes, cores), rounded up."""
        return _divide_up(self.nano, _NANO)

    def milli(self) -> int:
        """Thousandths (of a core), rounded up."""
        return _divide_up(self.nano, 10**6)

    def as_float(self) -> float:
        return self.nano / _NANO

    def __str__(self) -> str:
        return self.text or self._canonical()

    def _canonical(self) -> str:
        """No fraction, and the largest suffix that needs none."""
        if not self.nano:
            return "0"
        whole, rest = divmod(self.nano, _NANO)
        if self.format is Format.BINARY_SI and not rest and abs(whole) >= 1024:
            number, times = _strip_factors(whole, 1024, most=6)
            return f"{number}{_BINARY_SUFFIX[times * 10]}"
        exponential = self.format is Format.DECIMAL_EXPONENT
        number, times = _strip_factors(self.nano, 1000, most=_MAX_EXPONENT if exponential else 9)
        exponent = times * 3 - 9
        if exponential:
            return f"{number}e{exponent}" if exponent else str(number)
        return f"{number}{_DECIMAL_SUFFIX[exponent]}"


ZERO = Quantity()


def from_milli(milli: int, fmt: Format = Format.DECIMAL_SI) -> Quantity:
    return Quantity(milli * 10**6, fmt)


def from_value(value: int, fmt: Format = Format.DECIMAL_SI) -> Quantity:
    return Quantity(value * _NANO, fmt)


def parse(value: str | int | float) -> Quantity:
    """The quantity that a JSON string or number stands for; ValueError with upstream's message if none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(FORMAT_WRONG)
    text = str(value).strip()
    return _parse(text) if len(text) <= 64 else _parse.__wrapped__(text)


def is_quantity(value: Any) -> bool:
    try:
        parse(value)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=2048)
def _parse(text: str) -> Quantity:
    match = _FORM.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise ValueError(FORMAT_WRONG)
    sign, whole, fraction, suffix = match[1], match[2].lstrip("0") or "0", match[3] or "", match[4]
    base, exponent, fmt = _suffix(suffix)
    if len(whole) + len(fraction) > 4096:
        raise ValueError("unable to parse numeric part of quantity")
    numerator, denominator = int(whole + fraction) * _NANO, 10 ** len(fraction)
    if exponent >= 0:
        numerator *= base**exponent
    else:
        denominator *= base**-exponent
    nano = _divide_up(numerator, denominator)
    if fmt is Format.BINARY_SI:
        nano = min(nano, _MAX_BINARY)
        fmt = Format.DECIMAL_SI if 0 < nano < _NANO else fmt
    kept = text if _keeps_text(whole, fraction, exponent, fmt) else ""
    return Quantity(-nano if sign == "-" else nano, fmt, kept)


def _suffix(suffix: str) -> tuple[int, int, Format]:
    """Base, exponent and family."""
    if suffix in _DECIMAL:
        return 10, _DECIMAL[suffix], Format.DECIMAL_SI
    if suffix in _BINARY:
        return 2, _BINARY[suffix], Format.BINARY_SI
    match = _EXPONENT.fullmatch(suffix)
    if match is None or abs(int(match[1])) > _MAX_EXPONENT:
        raise ValueError(SUFFIX_WRONG)
    return 10, int(match[1]), Format.DECIMAL_EXPONENT


def _keeps_text(whole: str, fraction: str, exponent: int, fmt: Format) -> bool:
    """Whether upstream takes the text for canonical already and prints it as it came (`1.250` stays `1.250`)."""
    digits = whole + fraction
    if fmt is Format.BINARY_SI:
        room = 15 - len(whole) - exponent * 3 // 10 - 1
        return not fraction and room >= 0 and int(digits) & 7 != 0
    scale = exponent - len(fraction)
    fits = len(digits) <= 18 and scale >= -9
    return fits and scale % 3 == 0 and not digits.endswith("000") and digits[0] != "0"


def _divide_up(numerator: int, denominator: int) -> int:
    """Rounded away from zero."""
    quotient = -(-abs(numerator) // denominator)
    return -quotient if numerator < 0 else quotient


def _strip_factors(number: int, factor: int, *, most: int) -> tuple[int, int]:
    times = 0
    while times < most and number % factor == 0:
        number //= factor
        times += 1
    return number, times
