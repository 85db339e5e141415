"""Progress on a terminal: finished phases stay as lines, the phase under way is redrawn, with a line for each pod."""

import time
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from wherry.cli.progress import Plain, summary
from wherry.deploy.pods import PodStep
from wherry.deploy.verdict import Verdicts
from wherry.images.built import BuildEvent

MOST_PODS = 20
TAIL = 3  # lines of a build's output
REDRAWS = 10  # a second


class Drawn(Plain):
    """Use as a context manager: the terminal is left as it was, whatever happens."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(stderr=True, highlight=False)
        self._phase, self._about, self._began = "", "", 0.0
        self._verdicts: Verdicts = {}
        self._step, self._tail = "", [""]
        self._spinner = Spinner("dots")
        # Last, as it draws at once.
        self._live = Live(console=self._console, refresh_per_second=REDRAWS, transient=True, get_renderable=self._draw)

    def __enter__(self) -> "Drawn":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self._verdicts:
            self._console.print(self._pods())
        self._live.stop()

    def note(self, text: str) -> None:
        self._console.print(Text(f"  {text}", style="dim"))

    def warning(self, text: str) -> None:
        self._console.print(Text(f"Warning: {text}", style="yellow"))

    def begin(self, phase: str, about: str = "") -> None:
        self._phase, self._about, self._began = phase, about, time.monotonic()
        self._verdicts, self._step, self._tail = {}, "", []

    def end(self, phase: str, seconds: float, about: str = "") -> None:
        line = Text.assemble(("✓ ", "green"), f"{phase:<13}", (self._about, "dim"), f"  {seconds:.2f} s")
        self._phase = ""
        self._console.print(line)

    def build(self, event: BuildEvent) -> None:
        if event.kind == "step":
            self._step, self._tail = f"{event.step}/{event.steps} {event.text}", []
        elif event.kind == "output":
            self._tail = [*self._tail, event.text][-TAIL:]

    def rollout(self, verdicts: Verdicts) -> None:
        self._verdicts = dict(verdicts)

    def _draw(self) -> RenderableType:
        if not self._phase:
            return Text("")
        self._spinner.text = Text(
            f"{self._phase:<13}{self._step or self._about}  {self._elapsed()}", overflow="ellipsis"
        )
        parts: list[RenderableType] = [self._spinner, *(Text(f"    {line}", style="dim") for line in self._tail)]
        if self._verdicts:
            parts.append(self._pods())
        return Group(*parts)

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._began:.1f} s"

    def _pods(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(overflow="ellipsis", no_wrap=True)
        for ref, verdict in self._verdicts.items():
            table.add_row(Text(f"  {ref.name}", style="bold"), summary(verdict))
            for pod in verdict.pods[:MOST_PODS]:
                table.add_row(f"    {pod.name}", Text(str(pod), style=_style(pod)))
            if len(verdict.pods) > MOST_PODS:
                table.add_row(f"    and {len(verdict.pods) - MOST_PODS} more", "")
        return table


def _style(pod: PodStep) -> str:
    if pod.ready:
        return "green"
    return "" if pod.step in ("creating", "pulling the image", "running, not ready", "initializing") else "yellow"
