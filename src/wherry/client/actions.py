"""What a controller may ask for. Values, so that tests compare them; `reconcile` carries them out through the Client.

A NotFound on Delete or a Conflict on Update or SetStatus is not an error: the object is looked at again.
"""

from dataclasses import dataclass
from typing import Any

from wherry.objects import Obj, Ref


@dataclass(frozen=True)
class Create:
    """AlreadyExists is not an error either: another pass, or a user, was quicker."""

    obj: Obj


@dataclass(frozen=True)
class Update:
    """Replace the object; its resourceVersion is the precondition."""

    obj: Obj
    subresource: str = ""


@dataclass(frozen=True)
class MergePatch:
    """Change just these fields (JSON merge patch)."""

    ref: Ref
    patch: Obj
    subresource: str = ""


@dataclass(frozen=True)
class Delete:
    """Delete the object with this uid and no other of the same name."""

    ref: Ref
    uid: str
    grace_seconds: int | None = None
    propagation: str = "Background"


@dataclass(frozen=True)
class SetStatus:
    """Replace the whole status of `obj`, which is as observed (its resourceVersion is the precondition)."""

    obj: Obj
    status: Obj


@dataclass(frozen=True)
class Emit:
    """Record an Event about `about`: `type` Normal or Warning, `reason` CamelCase, `message` a sentence."""

    about: Obj
    type: str
    reason: str
    message: str


@dataclass(frozen=True)
class Post:
    """Create at a subresource of `ref`: a pod's binding."""

    ref: Ref
    subresource: str
    body: Obj


@dataclass(frozen=True)
class Again:
    """Look at this object again after `seconds`, even if nothing changes."""

    seconds: float


Action = Create | Update | MergePatch | Delete | SetStatus | Emit | Post | Again


def status_of(obj: Obj) -> dict[str, Any]:
    """The object's status, {} where it has none."""
    return obj.get("status") or {}
