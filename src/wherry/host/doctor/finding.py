"""One result of `doctor`."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is; `fail` means that wherry does not work so."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """`fix` is a command or a sentence; `repair` names the one of `fixes` that `--fix` carries out."""

    code: str
    level: Level
    what: str
    why: str = ""
    fix: str = ""
    repair: str = ""

    def as_json(self) -> dict[str, str]:
        return {**asdict(self), "level": self.level.value}


def ok(code: str, what: str) -> Finding:
    return Finding(code, Level.OK, what)


def warn(code: str, what: str, why: str, fix: str, repair: str = "") -> Finding:
    return Finding(code, Level.WARN, what, why, fix, repair)


def fail(code: str, what: str, why: str, fix: str, repair: str = "") -> Finding:
    return Finding(code, Level.FAIL, what, why, fix, repair)
