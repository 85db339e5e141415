"""What a build without a Dockerfile says of itself, in the events of one with."""

import time
from collections.abc import Callable

from wherry.images.built import BuildEvent


class Steps:
    """One after another; `say` is a line of the step under way."""

    def __init__(self, count: int, tell: Callable[[BuildEvent], None]) -> None:
        self._count, self._tell = count, tell
        self._number, self._text = 0, ""
        self._begun, self._cached = 0.0, False

    def begin(self, text: str) -> None:
        self.end()
        self._number, self._text = self._number + 1, text
        self._begun, self._cached = time.monotonic(), False
        self._tell(BuildEvent("step", self._number, self._count, text))

    def say(self, text: str) -> None:
        self._tell(BuildEvent("output", self._number, self._count, text))

    def cached(self) -> None:
        """Nothing had to be done."""
        self._cached = True

    def end(self) -> None:
        if self._text:
            seconds = time.monotonic() - self._begun
            self._tell(BuildEvent("done", self._number, self._count, self._text, 0, self._cached, seconds))
            self._text = ""
