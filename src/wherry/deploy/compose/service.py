"""One service of a compose file on its way to objects, and what became of its keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from wherry.objects import Obj


class Verdict(Enum):
    MAPPED = "mapped"
    CHANGED = "changed"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Line:
    """What became of one key."""

    key: str  # services.web.ports
    verdict: Verdict
    note: str

    def __str__(self) -> str:
        return f"{self.verdict.value:8} {self.key}: {self.note}"


@dataclass
class ComposeService:
    """One service on its way."""

    name: str
    raw: Mapping[str, Any]
    container: Obj
    pod: Obj
    replicas: int = 1
    published: list[tuple[int, int, str]] = field(default_factory=list)  # port, target, protocol
    inner: list[tuple[int, str]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def note(self, key: str, verdict: Verdict, note: str) -> None:
        self.lines.append(Line(f"services.{self.name}.{key}", verdict, note))

    def mount(self, name: str, path: str, source: Obj, *, readonly: bool = False) -> None:
        volumes, mounts = self.pod.setdefault("volumes", []), self.container.setdefault("volumeMounts", [])
        if all(volume["name"] != name for volume in volumes):
            volumes.append({"name": name, **source})
        mounts.append({"name": name, "mountPath": path, **({"readOnly": True} if readonly else {})})
