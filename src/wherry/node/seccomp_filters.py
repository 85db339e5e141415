"""Seccomp filters that crun has compiled before, to be given to it again.

crun compiles the default profile anew for each container, which takes a third of its processor time, and gets the same
filter each time. It leaves what it loads in the container's state, and takes such a filter by an annotation. The
profile is given all the same: a runtime that does not know the annotation compiles it as ever.

What is known is forgotten when containerd is started and after an hour, as an upgrade of it, of crun or of libseccomp
may make another filter of the same profile.
"""

import base64
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from wherry.node.oci_runtime import SECCOMP_FILTER
from wherry.node.runtime import Security

_DEFAULT = "RuntimeDefault"
_SANDBOX = ("sandbox",)
_INSTRUCTION_BYTES = 8
_MOST = 64  # sets of capabilities: whoever may make pods may ask for any
_LIFE_SECONDS = 3600.0

Key = tuple[str, ...]


def key(security: Security, *, sandbox: bool = False) -> Key | None:
    """All that one version of the default profile depends on: the container's capabilities, a sandbox's being fixed.

    None where the filter is another.
    """
    if security.privileged or security.seccomp != _DEFAULT:
        return None
    if sandbox:
        return _SANDBOX
    return (*_names(security.add_capabilities), "-", *_names(security.drop_capabilities))


def _names(capabilities: Iterable[str]) -> list[str]:
    return sorted({each.upper() for each in capabilities})


@dataclass(frozen=True)
class _Known:
    filter: str  # base64
    until: float


@dataclass(frozen=True)
class SeccompFilters:
    """Those of one node, by what they depend on; `states` holds crun's state directories, one for each container."""

    states: Path
    now: Callable[[], float] = time.monotonic
    _known: dict[Key, _Known] = field(default_factory=dict)

    def annotations(self, wanted: Key | None) -> dict[str, str]:
        """What to annotate a container with; nothing where its filter is not known."""
        known = self._known.get(wanted) if wanted else None
        return {SECCOMP_FILTER: known.filter} if known and self.now() < known.until else {}

    def unknown(self, wanted: Key | None) -> bool:
        """Whether a container that is started without an annotation is to teach it."""
        return wanted is not None and not self.annotations(wanted) and (wanted in self._known or not self._full())

    def learn(self, wanted: Key, container_id: str) -> None:
        """From a container that has started without an annotation. Blocking; under runc there is nothing to learn."""
        try:
            compiled = (self.states / container_id / "seccomp.bpf").read_bytes()
        except OSError:  # another runtime's, or the container has ended
            return
        if compiled and len(compiled) % _INSTRUCTION_BYTES == 0:
            self._known[wanted] = _Known(base64.b64encode(compiled).decode(), self.now() + _LIFE_SECONDS)

    def forget(self) -> None:
        self._known.clear()

    def _full(self) -> bool:
        return len(self._known) >= _MOST
