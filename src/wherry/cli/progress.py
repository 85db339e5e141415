"""How an `up` is shown while it goes on: lines that are redrawn on a terminal, plain lines, JSON lines, or nothing.

Progress goes to stderr; stdout is for results.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click
import orjson

from wherry.deploy.report import Reporter
from wherry.deploy.verdict import Verdict, Verdicts
from wherry.images.built import BuildEvent
from wherry.objects import Ref

MODES = ("auto", "tty", "plain", "json", "quiet")


def summary(verdict: Verdict) -> str:
    old = f", {verdict.old} of the revision before" if verdict.old else ""
    stopping = f", {verdict.stopping} stopping" if verdict.stopping else ""
    return f"{verdict.ready} of {verdict.wanted} ready{old}{stopping}"


class Quiet:
    """Warnings only."""

    def note(self, text: str) -> None:
        pass

    def warning(self, text: str) -> None:
        click.echo(f"Warning: {text}", err=True)

    def begin(self, phase: str, about: str = "") -> None:
        pass

    def end(self, phase: str, seconds: float, about: str = "") -> None:
        pass

    def build(self, event: BuildEvent) -> None:
        pass

    def rollout(self, verdicts: Verdicts) -> None:
        pass


class Plain(Quiet):
    """One line for each thing that happens; nothing is redrawn."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def note(self, text: str) -> None:
        self._line("", text)

    def begin(self, phase: str, about: str = "") -> None:
        if about:
            self._line(phase, about)

    def end(self, phase: str, seconds: float, about: str = "") -> None:
        self._line(phase, f"done in {seconds:.2f} s")

    def build(self, event: BuildEvent) -> None:
        if event.kind == "step":
            self._line("build", f"{event.step}/{event.steps} {event.text}")
        elif event.kind == "output":
            self._line("build", f"  {event.text}")

    def rollout(self, verdicts: Verdicts) -> None:
        for ref, verdict in verdicts.items():
            for pod in verdict.pods:
                self._once(pod.name, f"{pod.name}: {pod}")
            self._once(str(ref), f"{ref.name}: {summary(verdict)}")

    def _once(self, key: str, text: str) -> None:
        if self._shown.get(key) != text:
            self._shown[key] = text
            self._line("rollout", text)

    def _line(self, phase: str, text: str) -> None:
        click.echo(f"{phase:<13}{text}", err=True)


class Json(Quiet):
    """One JSON object a line: phase, event, object, reason, ms since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown: dict[str, Mapping[str, object]] = {}

    def note(self, text: str) -> None:
        self._line("", "note", text=text)

    def warning(self, text: str) -> None:
        self._line("", "warning", text=text)

    def begin(self, phase: str, about: str = "") -> None:
        self._line(phase, "begin", text=about)

    def end(self, phase: str, seconds: float, about: str = "") -> None:
        self._line(phase, "end", seconds=seconds)

    def build(self, event: BuildEvent) -> None:
        self._line("build", event.kind, step=event.step, steps=event.steps, text=event.text, cached=event.cached)

    def rollout(self, verdicts: Verdicts) -> None:
        for ref, verdict in verdicts.items():
            for pod in verdict.pods:
                self._once(f"Pod/{ref.namespace}/{pod.name}", {"reason": pod.step, "text": pod.detail})
            counts = {"wanted": verdict.wanted, "ready": verdict.ready, "old": verdict.old}
            self._once(str(ref), {"reason": verdict.state.value, **counts})

    def _once(self, key: str, said: Mapping[str, object]) -> None:
        if self._shown.get(key) != said:
            self._shown[key] = said
            self._line("rollout", "progress", object=key, **said)

    def _line(self, phase: str, event: str, **said: object) -> None:
        ms = round((time.monotonic() - self._began) * 1000)
        known = {key: value for key, value in said.items() if value not in ("", None)}
        click.echo(orjson.dumps({"ms": ms, "phase": phase, "event": event, **known}).decode(), err=True)


@contextmanager
def reporter(mode: str) -> Iterator[Reporter]:
    """The one for `mode`; `auto` redraws on a terminal that can."""
    if mode == "auto":
        dumb = os.environ.get("TERM", "dumb") == "dumb"
        mode = "tty" if sys.stderr.isatty() and not dumb else "plain"
    if mode == "tty":
        from wherry.cli.drawn import Drawn

        with Drawn() as drawn:
            yield drawn
        return
    yield {"plain": Plain, "json": Json, "quiet": Quiet}[mode]()


def applied_lines(done: Mapping[Ref, str]) -> Iterator[str]:
    """`deployment.apps/web configured`, as kubectl says it."""
    for ref, what in done.items():
        yield f"{object_name(ref)} {what}"


def object_name(ref: Ref) -> str:
    kind, dot, group = ref.kind.partition(".")
    return f"{kind.lower()}{dot}{group}/{ref.name}"
