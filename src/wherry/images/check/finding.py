"""What a check finds."""

from dataclasses import dataclass, field
from enum import IntEnum


class Level(IntEnum):
    """How much it matters; the names are SARIF's `level`s."""

    NOTE = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True)
class Edit:
    """Lines `first` to `last` (from 1, both included) become `text`; `last` = `first` - 1 inserts before `first`."""

    file: str
    first: int
    last: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One place that a rule objects to.

    `cost` is what it costs to leave it (breaks, bytes, seconds, exposure); `fix` is what to write instead. `edit` is
    there where the fix is safe to carry out unseen.
    """

    rule: str  # D01 ... , M01 ... , X01 ...
    level: Level
    file: str
    line: int  # from 1; 0: the file as a whole
    message: str
    cost: str
    fix: str
    edit: Edit | None = field(default=None, compare=False)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.level.name.lower()} {self.rule}: {self.message}"
