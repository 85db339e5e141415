"""Seccomp filters that crun has compiled before, to be given to it again.

crun compiles the default profile anew for each container, which takes a third of its processor time, and gets the same
filter each time. It leaves what it loads in the container's state, and takes such a filter by an annotation. The
profile is given all the same: a runtime that does not know the annotation compiles it as ever.
"""

import base64
from dataclasses import dataclass, field
from pathlib import Path

from wherry.node.oci_runtime import SECCOMP_FILTER
from wherry.node.runtime import Security

_DEFAULT = "RuntimeDefault"
_SANDBOX = ("sandbox",)
_INSTRUCTION_BYTES = 8

Key = tuple[str, ...]


def key(security: Security | None) -> Key | None:
    """All that the default profile depends on: the container's capabilities; None where the filter is another.

    A sandbox's (None) never change.
    """
    if security is None:
        return _SANDBOX
    if security.privileged or security.seccomp != _DEFAULT:
        return None
    return (*sorted(security.add_capabilities), "-", *sorted(security.drop_capabilities))


@dataclass(frozen=True)
class SeccompFilters:
    """Those of one node, by what they depend on; `states` holds crun's state directories, one for each container."""

    states: Path
    _known: dict[Key, str] = field(default_factory=dict)

    def annotations(self, wanted: Key | None) -> dict[str, str]:
        """What to annotate a container with; nothing where its filter is not known."""
        known = self._known.get(wanted) if wanted else None
        return {SECCOMP_FILTER: known} if known else {}

    def unknown(self, wanted: Key | None) -> bool:
        return wanted is not None and wanted not in self._known

    def learn(self, wanted: Key, container_id: str) -> None:
        """From a container that has started without an annotation. Blocking; under runc there is nothing to learn."""
        try:
            compiled = (self.states / container_id / "seccomp.bpf").read_bytes()
        except OSError:  # another runtime's, or the container has ended
            return
        if compiled and len(compiled) % _INSTRUCTION_BYTES == 0:
            self._known[wanted] = base64.b64encode(compiled).decode()
