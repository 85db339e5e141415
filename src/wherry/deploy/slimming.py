"""Whether a slimmed image does what the whole one does: both are tried out on the node, one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass

from wherry.client.http import HttpClient
from wherry.clock import Clock
from wherry.deploy.trial.findings import KILLED
from wherry.deploy.trial.trial import Subject, Trial, attempt
from wherry.images.layout import Descriptor, Layout
from wherry.images.names import repository
from wherry.node.content import import_layout
from wherry.node.content_calls import ContentCalls


@dataclass(frozen=True)
class Compared:
    """Both trials."""

    before: Trial
    after: Trial

    @property
    def unknown(self) -> str:
        """Why nothing is known: the whole image does not run here either; "" where it does."""
        return "" if _works(self.before) else f"the whole image does not answer here: {_failure(self.before)}"

    @property
    def broken(self) -> str:
        """What the slimmed image does no more; "" where it does all."""
        if self.unknown:
            return ""
        if not _works(self.after):
            return _failure(self.after)
        if self.after.status // 100 != self.before.status // 100:
            return f"GET {self.after.subject.path} -> {self.after.status}, and {self.before.status} before"
        if self.after.exit_code == KILLED and self.before.exit_code != KILLED:
            return "it does not end at SIGTERM any more"
        return ""


def _works(trial: Trial) -> bool:
    return trial.answered and not trial.failure


def _failure(trial: Trial) -> str:
    return trial.failure or f"GET {trial.subject.path} -> {trial.status or 'no answer'}"


async def compare(client: HttpClient, clock: Clock, before: Subject, after: Subject) -> Compared:
    """Try both. Raises DeployError where a pod cannot be made at all."""
    return Compared(await attempt(client, clock, before), await attempt(client, clock, after))


def lines(compared: Compared) -> Iterator[str]:
    """Before and after, a line each of what was measured."""
    before, after = compared.before, compared.after
    yield f"{'answers':12}{_status(before):>12} -> {_status(after)}"
    yield f"{'after':12}{_seconds(before.to_answer):>12} -> {_seconds(after.to_answer)}"
    yield f"{'memory':12}{_memory(before):>12} -> {_memory(after)}"
    yield f"{'on SIGTERM':12}{_end(before):>12} -> {_end(after)}"


def _status(trial: Trial) -> str:
    return str(trial.status) if trial.status else "nothing"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _memory(trial: Trial) -> str:
    return f"{trial.inside.memory / 1e6:.0f} MB" if trial.inside else "-"


def _end(trial: Trial) -> str:
    return "-" if trial.to_stop is None else f"{trial.to_stop:.2f} s, exit {trial.exit_code}"


async def into_node(socket: str, layout: Layout, reference: str, image: Descriptor) -> str:
    """Bring an image of the layout into the node; its name with digest, as a pod is to have it."""
    await import_layout(socket, layout.directory, reference, image.digest)
    return pinned(reference, image)


async def out_of_node(socket: str, reference: str, image: Descriptor) -> None:
    """Let the node forget an image, and what it alone held."""
    async with ContentCalls(socket) as calls:
        for name in (reference, pinned(reference, image)):
            held = await calls.image(name)
            if held is not None and held.target.digest == image.digest:
                await calls.remove_image(name)


def pinned(reference: str, image: Descriptor) -> str:
    return f"{repository(reference)}@{image.digest}"
