"""An app that follows its folder: each edit is built, brought in, applied and waited for, by a process that is warm."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from wherry.deploy import apply
from wherry.deploy.answer import first_answer
from wherry.deploy.apply import Applied
from wherry.deploy.folder import Manifest
from wherry.deploy.images import repository
from wherry.deploy.plan import Plan
from wherry.deploy.rollout import Rollout
from wherry.deploy.up import ANSWER_SECONDS, PATIENCE, ImageMaker, Result, Up
from wherry.deploy.verdict import Verdicts, workloads
from wherry.objects import Ref, ref_of

Reread = Callable[[], tuple[Plan, ImageMaker | None]]


class Edits:
    """One app that an `Up` has brought up, or has tried to; `reread` says anew what its folder means.

    Where an edit changes the image alone, only the workload that runs it is applied; all else is a whole `up`.
    """

    def __init__(self, up: Up, reread: Reread) -> None:
        self._up, self._reread = up, reread
        self._image = ""
        self._urls: list[str] = []
        self._live: dict[Ref, Manifest] = {}

    async def begin(self, first: Result) -> None:
        """What the run before has left."""
        failed = first.outcome is not None and (first.outcome.failed is not None or first.outcome.timed_out)
        self._image, self._urls = first.image, [answer.url for answer in first.answers]
        self._live = {} if failed else _by_ref(await self._up.objects(first.image))

    async def follow(self, begun: float) -> Result:
        """The edit of that moment, with the seconds since it. Raises what `Up.run` raises; what ran goes on then."""
        made, images = self._reread()
        self._up = up = replace(self._up, plan=made, images=images)
        if images is None or not self._live:
            return await self._whole()
        laps = _Laps(begun)
        built = await images.build(up.image_name())
        laps.end("build")
        image = f"{repository(up.image_name())}@{built.digest}"
        objects = _by_ref(await up.objects(image))
        changed = [one for ref, one in objects.items() if self._live.get(ref) != one]
        if self._live.keys() != objects.keys() or not all(any(workloads([one.object])) for one in changed):
            return await self._whole()
        result = Result(made.app, up.namespace, str(up.target), image, seconds=laps.seconds)
        if changed:
            await images.deliver(built)
            laps.end("import" if up.target.embedded else "push")
            result.applied = await apply.bring(up.client, changed, {}, force=up.wishes.force)
            self._image, self._live = image, objects
            laps.end("apply")
            await self._wait(result, result.applied, laps)
        return result

    async def _whole(self) -> Result:
        result = await self._up.run()
        await self.begin(result)
        return result

    async def _wait(self, result: Result, applied: Sequence[Applied], laps: "_Laps") -> None:
        refs = [ref_of(each.object) for each in applied]
        patience = timedelta() if self._up.target.embedded else PATIENCE

        def tell(verdicts: Verdicts) -> None:
            self._up.reporter.rollout(verdicts)
            if "ready" not in laps.seconds and all(one.ready >= one.wanted for one in verdicts.values()):
                laps.end("ready")

        rollout = Rollout(self._up.client, self._up.clock, tell, self._up.wishes.timeout, patience)
        result.outcome = await rollout.watch(refs)
        laps.end("rollout")
        if result.outcome.failed is None and not result.outcome.timed_out:
            result.answers = [await first_answer(url, "/", ANSWER_SECONDS) for url in self._urls]
            laps.end("first answer")


def _by_ref(objects: Sequence[Manifest]) -> dict[Ref, Manifest]:
    return {ref_of(one.object): one for one in objects}


class _Laps:
    """Seconds of phases, one after the other."""

    def __init__(self, begun: float) -> None:
        self._last = begun
        self.seconds: dict[str, float] = {}

    def end(self, phase: str) -> None:
        now = time.monotonic()
        self.seconds[phase] = round(now - self._last, 3)
        self._last = now
