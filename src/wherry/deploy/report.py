"""What an `up` tells while it goes on, as values: whoever shows them decides how."""

from typing import Protocol

from wherry.deploy.verdict import Verdicts
from wherry.images.built import BuildEvent


class Reporter(Protocol):
    """All calls return at once."""

    def note(self, text: str) -> None:
        """Something worth to know: what was found, what was decided."""
        ...

    def warning(self, text: str) -> None: ...

    def begin(self, phase: str, about: str = "") -> None:
        """A phase begins: build, import, push, apply, rollout, first answer."""
        ...

    def end(self, phase: str, seconds: float, about: str = "") -> None: ...

    def build(self, event: BuildEvent) -> None: ...

    def rollout(self, verdicts: Verdicts) -> None: ...
