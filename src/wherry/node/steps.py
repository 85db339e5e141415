"""The steps of a plan, as values: what a pod needs next. `plan` makes them, `execute` carries them out."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class MakeVolumes:
    """Make the pod's directories, volumes and files."""


@dataclass(frozen=True)
class DropVolumes:
    """Remove them."""


@dataclass(frozen=True)
class RunSandbox:
    """`after`: what is left of older ones is stopped first, so that its addresses are free."""

    attempt: int
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pull:
    """Have the container's image here, as its pull policy says."""

    container: str


@dataclass(frozen=True)
class CreateAndStart:
    """Start the container, whose image is here. Those of one plan are started in order."""

    container: str
    attempt: int
    backoff: float = 0.0  # how long its successor will wait


@dataclass(frozen=True)
class Withdraw:
    """Take the pod out of the routing and let its connections drain, until `by` at the latest."""

    by: datetime


@dataclass(frozen=True)
class PreStop:
    """Run the container's preStop hook, until `by` at the latest."""

    id: str
    container: str
    by: datetime
    message: str


@dataclass(frozen=True)
class Kill:
    """SIGTERM, and SIGKILL at `by`. With `hook` the preStop hook comes first, in the same time."""

    id: str
    container: str
    by: datetime
    message: str = ""  # of the Event, which is told once
    hook: bool = False


@dataclass(frozen=True)
class StopSandbox:
    id: str


@dataclass(frozen=True)
class RemoveContainer:
    id: str


@dataclass(frozen=True)
class RemoveSandbox:
    id: str


@dataclass(frozen=True)
class Tell:
    """An Event; told once for each `key`."""

    key: str
    type: str
    reason: str
    message: str
    container: str = ""


@dataclass(frozen=True)
class Wait:
    """Look again at that moment, if nothing wakes the pod before."""

    until: datetime


@dataclass(frozen=True)
class Finalize:
    """Nothing of the pod is left to do: the API object may go."""


@dataclass(frozen=True)
class Forget:
    """Neither the API nor the runtime has the pod."""


Step = (
    MakeVolumes
    | DropVolumes
    | RunSandbox
    | Pull
    | CreateAndStart
    | Withdraw
    | PreStop
    | Kill
    | StopSandbox
    | RemoveContainer
    | RemoveSandbox
    | Tell
    | Wait
    | Finalize
    | Forget
)
