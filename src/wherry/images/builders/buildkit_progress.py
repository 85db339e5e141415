"""What BuildKit prints (`--progress plain`), as steps of the Dockerfile. Pure: it is told the time.

Stages run side by side, so that lines of several steps come mixed; each begins with the number of its vertex. FROM,
RUN, COPY, ADD and WORKDIR are vertices, and FROM of an earlier stage is none.
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from wherry.images.built import BuildEvent
from wherry.images.check.dockerfile import Instruction, Stage
from wherry.images.source import Source
from wherry.images.steps import Step, spoken

_LINE = re.compile(r"#(\d+) (.*)")
_NAME = re.compile(r"\[(?:(.*?) +)?(\d+)/(\d+)\] ")
_LOG = re.compile(r"\d+\.\d+ (.*)")
_GLUED = re.compile(r"(#(\d+) \d+\.\d+ .*?)(#\2 (?:DONE \d+\.\d+s|ERROR: .*))")  # a last line without its newline
_INTERNAL = re.compile(r"\[(?:internal|auth)\] ")
_METADATA = re.compile(r"\[internal\] load metadata for (\S+)")
_UNNAMED = "stage-"
_VERTICES = frozenset(("RUN", "COPY", "ADD", "WORKDIR"))
_CONSEQUENCE = "context canceled"  # what a step says that was ended because another one failed
_TAIL_LINES = 60


@dataclass
class _Vertex:
    name: str
    step: Step | None
    begun: float
    cached: bool = False
    ended: bool = False
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES))


class BuildKitProgress:
    """Feed it the lines in their order. After a failure, `failed` is the step at fault, and `said` its last words."""

    def __init__(self, source: Source, tell: Callable[[BuildEvent], None]) -> None:
        self._source = source
        self._tell = tell
        stages = source.dockerfile.stages
        lengths = [len(stage.instructions) + 1 for stage in stages]
        self._before = [sum(lengths[:index]) for index in range(len(stages))]
        self._steps = sum(lengths[: source.last.index + 1])
        self._vertices: dict[str, _Vertex] = {}
        self._rest: deque[str] = deque(maxlen=_TAIL_LINES)
        self._error = ""
        self._at_fault: _Vertex | None = None

    @property
    def failed(self) -> Step | None:
        return self._at_fault.step if self._at_fault else None

    @property
    def said(self) -> list[str]:
        """The failed step's last lines, and then the error as buildah would write it."""
        tail = self._at_fault.tail if self._at_fault else ()
        error = self._error or next((line for line in reversed(self._rest) if line.strip("- ")), "")
        error = re.sub(r"^ERROR: (?:failed to build: )?", "", error)
        return [*tail, *([f"Error: {error}"] if error else [])]

    @property
    def unknown_image(self) -> str:
        """The image that the build needs and could not find out about, if that is why it failed."""
        found = _METADATA.match(self._at_fault.name) if self._at_fault else None
        return found[1] if found else ""

    def feed(self, line: str, now: float) -> None:
        if glued := _GLUED.fullmatch(line):
            self.feed(glued[1], now)
            line = glued[3]
        match = _LINE.match(line)
        if match is None:
            self._rest.append(line)
            return
        number, text = match[1], match[2]
        vertex = self._vertices.get(number)
        if vertex is None:
            self._begin(number, text, now)
        elif text == "CACHED":
            vertex.cached = True
            self._end(vertex, now)
        elif text.startswith("DONE "):
            self._end(vertex, now)
        elif text.startswith("ERROR: "):
            self._blame(vertex, text.removeprefix("ERROR: "))
        elif vertex.step is not None and (log := _LOG.match(text)):
            vertex.tail.append(log[1])
            self._say(vertex, "output", log[1])

    def _begin(self, number: str, text: str, now: float) -> None:
        self._vertices[number] = vertex = _Vertex(text, self._step(text), now)
        if vertex.step is not None:
            self._say(vertex, "step", spoken(vertex.step.instruction))

    def _end(self, vertex: _Vertex, now: float) -> None:
        if vertex.step is not None and not vertex.ended:
            vertex.ended = True
            seconds = 0.0 if vertex.cached else now - vertex.begun
            self._say(vertex, "done", spoken(vertex.step.instruction), cached=vertex.cached, seconds=seconds)

    def _blame(self, vertex: _Vertex, error: str) -> None:
        if not self._error or (_CONSEQUENCE in self._error and _CONSEQUENCE not in error):
            self._error, self._at_fault = error, vertex

    def _step(self, name: str) -> Step | None:
        match = _NAME.match(name) if not _INTERNAL.match(name) else None
        stage = self._stage(match[1] or "") if match else None
        if match is None or stage is None:
            return None
        vertices = list(self._instructions(stage))
        number, count = int(match[2]), int(match[3])
        if not 1 <= number <= count == len(vertices):
            return None
        index, instruction = vertices[number - 1]
        return Step(self._before[stage.index] + index + 1, instruction)

    def _stage(self, name: str) -> Stage | None:
        """`linux/amd64 build`, `build`, `stage-1`, or nothing where there is one stage only."""
        stages = self._source.dockerfile.stages
        if not name:
            return stages[0] if len(stages) == 1 else self._source.last
        for word in reversed(name.split()):
            named = self._source.dockerfile.stage(word)
            if named is None and word.startswith(_UNNAMED):
                named = self._source.dockerfile.stage(word.removeprefix(_UNNAMED))
            if named is not None:
                return named
        return stages[0] if len(stages) == 1 else None

    def _instructions(self, stage: Stage) -> list[tuple[int, Instruction]]:
        """Those that are vertices, with their place in the stage."""
        found = [(0, stage.start)] if self._source.outside(stage.start) else []
        return found + [(index, one) for index, one in enumerate(stage.instructions, 1) if one.name in _VERTICES]

    def _say(self, vertex: _Vertex, kind: str, text: str, *, cached: bool = False, seconds: float = 0.0) -> None:
        assert vertex.step is not None, "only steps are told"
        line = vertex.step.instruction.line
        self._tell(BuildEvent(kind, vertex.step.number, self._steps, text, line, cached, seconds))
