"""What buildah prints, as steps of the Dockerfile. Pure: it is told the time."""

import re
from collections import deque
from collections.abc import Callable

from wherry.images.built import BuildEvent
from wherry.images.check.dockerfile import Dockerfile
from wherry.images.steps import Step, spoken

_STEP = re.compile(r"(?:\[(\d+)/(\d+)\] )?STEP (\d+)/(\d+): (.*)")
_CACHED = re.compile(r"--> Using cache [0-9a-f]{12,}$")
_KEPT = re.compile(r"--> [0-9a-f]{11,}$")
_QUIET = re.compile(r"(?:\[\d+/\d+\] )?COMMIT|Successfully tagged |[0-9a-f]{64}$")
_TAIL_LINES = 30


class Progress:
    """Feed it the lines in their order, then `close` it."""

    def __init__(self, dockerfile: Dockerfile, tell: Callable[[BuildEvent], None]) -> None:
        self._stages = [[stage.start, *stage.instructions] for stage in dockerfile.stages]
        self._tell = tell
        self._steps = sum(map(len, self._stages))
        self._begun = 0.0
        self._cached = False
        self.step: Step | None = None
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def feed(self, line: str, now: float) -> None:
        step = self._step(line)
        if step is not None:
            self.close(now)
            self.step, self._begun, self._cached = step, now, False
            self.tail.clear()
            self._say("step", spoken(step.instruction))
        elif _CACHED.match(line):
            self._cached = True
        elif not _KEPT.match(line) and not _QUIET.match(line) and line.strip():
            self.tail.append(line)
            self._say("output", line)

    def close(self, now: float) -> None:
        """The step under way is done."""
        if self.step is not None:
            self._say("done", spoken(self.step.instruction), cached=self._cached, seconds=now - self._begun)
            self.step = None

    def _step(self, line: str) -> Step | None:
        """The step that the line announces. A program in a RUN may print such a line too: numbers must go on."""
        match = _STEP.match(line)
        if match is None:
            return None
        stage, stages, number, count = int(match[1] or 1) - 1, int(match[2] or 1), int(match[3]), int(match[4])
        if not (0 <= stage < stages <= len(self._stages) and 1 <= number <= count == len(self._stages[stage])):
            return None
        whole = sum(map(len, self._stages[:stage])) + number
        if self.step is not None and whole <= self.step.number:
            return None
        self._steps = sum(map(len, self._stages[:stages]))
        return Step(whole, self._stages[stage][number - 1])

    def _say(self, kind: str, text: str, *, cached: bool = False, seconds: float = 0.0) -> None:
        number, line = (self.step.number, self.step.instruction.line) if self.step else (0, 0)
        self._tell(BuildEvent(kind, number, self._steps, text, line, cached, seconds))
