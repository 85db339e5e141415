"""`up`: build, deliver, apply, watch, prove. Each phase is timed and told; a rollout that fails is in the Result."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from wherry.client.follow import Followed, following
from wherry.client.http import HttpClient
from wherry.clock import Clock
from wherry.deploy import apply, inventory, plan
from wherry.deploy.answer import Answer, find_urls, first_answer
from wherry.deploy.apply import Applied
from wherry.deploy.errors import DeployError, InputError
from wherry.deploy.folder import Manifest
from wherry.deploy.images import last_part, repository
from wherry.deploy.plan import Place, Plan
from wherry.deploy.report import Reporter
from wherry.deploy.rollout import Outcome, Rollout, retry_stuck
from wherry.deploy.target import Target
from wherry.deploy.verdict import workloads
from wherry.images.built import BuiltImage
from wherry.objects import Obj, Ref, ref_of
from wherry.objects.errors import NotFound

DRAIN_SECONDS = 10  # other clusters send requests to a pod that has been told to stop, for about so long
PATIENCE = timedelta(seconds=60)  # other clusters may add nodes
ANSWER_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the person who deploys has asked for, beside the folder itself."""

    namespace: str = ""  # the one asked for; else it is the target's
    registry: str = ""
    timeout: float = 300.0
    wait: bool = True
    force: bool = False


@dataclass
class Result:
    """What an `up` has done so far."""

    app: str
    namespace: str
    target: str
    image: str = ""
    applied: list[Applied] = field(default_factory=list)
    pruned: list[Ref] = field(default_factory=list)
    outcome: Outcome | None = None
    answers: list[Answer] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return bool(self.pruned) or any(each.done != "unchanged" for each in self.applied)


class ImageMaker(Protocol):
    """Makes the app's image."""

    async def build(self, name: str) -> BuiltImage: ...

    async def deliver(self, built: BuiltImage) -> None:
        """Bring it to where the target's nodes find it by its name and digest."""
        ...


@dataclass(frozen=True)
class Up:
    """One run. `client` reaches `target`; `images` is None where nothing is built."""

    client: HttpClient
    target: Target
    plan: Plan
    wishes: Wishes
    reporter: Reporter
    clock: Clock
    images: ImageMaker | None = None

    @property
    def namespace(self) -> str:
        return self.wishes.namespace or self.target.access.namespace

    async def run(self) -> Result:
        """All phases. Raises DeployError, ImageError and ApiError; a rollout that fails is in the Result."""
        result = Result(self.plan.app, self.namespace, str(self.target))
        result.image = await self._image(result)
        objects = await self._apply(result)
        if self.wishes.wait:
            await self._watch(result, objects)
        if result.outcome is None or (result.outcome.failed is None and not result.outcome.timed_out):
            keep = inventory.listed(each.object for each in objects)
            result.pruned = await apply.prune(self.client, self.plan.app, self.namespace, keep)
            if self.wishes.wait:
                await self._answers(result, objects)
        return result

    async def tried(self) -> list[Applied]:
        """What `run` would do, changing nothing; the image stands there without the digest that it would get."""
        objects = await self.objects("")
        before = await apply.existing(self.client, objects, self.plan.app)
        await apply.check(self.client, objects, force=self.wishes.force)
        return [
            Applied(ref_of(each.object), "configured" if ref_of(each.object) in before else "created", each.object)
            for each in objects
        ]

    # -- phases

    @asynccontextmanager
    async def _phase(self, result: Result, name: str, about: str = "") -> AsyncIterator[None]:
        self.reporter.begin(name, about)
        began = self.clock.monotonic()
        yield
        result.seconds[name] = round(self.clock.monotonic() - began, 3)
        self.reporter.end(name, result.seconds[name])

    async def _image(self, result: Result) -> str:
        """Build and deliver; the image by digest, or "" where nothing is built."""
        if self.images is None:
            return ""
        name = self.image_name()
        async with self._phase(result, "build", f"{name} from {self.plan.built_from}"):
            built = await self.images.build(name)
        where = "import" if self.target.embedded else "push"
        async with self._phase(result, where, f"{built.reference}, {built.size / 2**20:.1f} MiB"):
            await self.images.deliver(built)
        return f"{repository(name)}@{built.digest}"

    def image_name(self) -> str:
        """What the built image is called. Raises InputError where no registry is named that needs to be."""
        registry = self.wishes.registry or self.plan.project.registry
        if self.target.embedded:
            return self.plan.image
        if not registry:
            raise InputError(
                f"{self.target} pulls its images from a registry: name one that it can reach",
                'wherry up --registry HOST/PATH, or registry = "HOST/PATH" in wherry.toml',
            )
        return f"{registry.rstrip('/')}/{last_part(self.plan.image)}:latest"

    async def objects(self, pinned: str) -> list[Manifest]:
        """What is applied, with the image `pinned`; as many replicas as there are now where nothing says how many."""
        live = await apply.get(self.client, Ref("Deployment.apps", self.namespace, self.plan.app))
        place = Place(
            namespace=self.namespace,
            drain_seconds=0 if self.target.embedded else DRAIN_SECONDS,
            replicas=plan.replicas_of(live) if self.plan.generates else None,
        )
        made = plan.objects(self.plan, pinned, place)
        return await apply.settled(self.client, made, self.plan.app, self.namespace, self.wishes.namespace)

    async def _apply(self, result: Result) -> Sequence[Manifest]:
        async with self._phase(result, "apply"):
            objects = await self.objects(result.image)
            await self._namespaces(objects)
            app = self.plan.app
            before = await apply.existing(self.client, objects, app)
            await apply.check(self.client, objects, force=self.wishes.force)
            noted = await inventory.read(self.client, app, self.namespace)
            refs = [*inventory.refs(noted), *inventory.listed(each.object for each in objects)]
            await inventory.write(self.client, app, self.namespace, refs, noted)
            result.applied = await apply.bring(self.client, objects, before, force=self.wishes.force)
        return objects

    async def _namespaces(self, objects: Sequence[Manifest]) -> None:
        """The namespace that is asked for is made on this machine's node; on other clusters it has an owner."""
        try:
            await self.client.get("Namespace", "", self.namespace)
        except NotFound:
            own = any(ref_of(each.object) == Ref("Namespace", "", self.namespace) for each in objects)
            if not self.target.embedded and not own:
                raise DeployError(
                    f"{self.target} has no namespace {self.namespace}",
                    f"make it: kubectl --context {self.target.access.context} create namespace {self.namespace}",
                ) from None
            made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
            await self.client.create(made)
            self.reporter.note(f"namespace {self.namespace} is new")

    async def _watch(self, result: Result, objects: Sequence[Manifest]) -> None:
        refs = [ref_of(obj) for obj in workloads([each.object for each in objects])]
        if not refs:
            return
        rollout = Rollout(
            self.client,
            self.clock,
            self.reporter.rollout,
            self.wishes.timeout,
            timedelta() if self.target.embedded else PATIENCE,
        )
        for each in result.applied:
            if each.ref in refs and each.done == "unchanged":
                count = await retry_stuck(self.client, self.clock, each.object)
                if count:
                    self.reporter.note(f"{each.ref.name}: {count} replicas that had failed are tried anew")
        async with self._phase(result, "rollout", ", ".join(ref.name for ref in refs)):
            result.outcome = await rollout.watch(refs)

    async def _answers(self, result: Result, objects: Sequence[Manifest]) -> None:
        services = [ref_of(each.object) for each in objects if each.object["kind"] == "Service"]
        if not services:
            return
        async with self._phase(result, "first answer"):
            found = await find_urls(self.client, services, ANSWER_SECONDS, embedded=self.target.embedded)
            result.answers = [await first_answer(url, "/", ANSWER_SECONDS) for url in found]


async def down(client: HttpClient, app: str, namespace: str) -> tuple[list[Ref], list[Ref]]:
    """Delete exactly what `up` has made of this app: (what was deleted, what stays as it is somebody else's now).

    Workloads go with their pods: they are gone when those are.
    """
    noted = await inventory.read(client, app, namespace)
    if noted is None:
        raise DeployError(f"there is no app {app} in namespace {namespace}", *await _apps_hint(client, namespace))
    refs = sorted(inventory.refs(noted), key=lambda ref: -apply.rank(ref.kind.partition(".")[0]))
    results: Mapping[Ref, bool] = {ref: await apply.remove(client, ref, app) for ref in refs}
    await client.delete("ConfigMap", namespace, inventory.name_of(app))
    kept = [ref for ref, gone in results.items() if not gone and await apply.get(client, ref) is not None]
    return [ref for ref, gone in results.items() if gone], kept


async def gone(client: HttpClient, refs: Sequence[Ref], seconds: float) -> bool:
    """Wait until the objects are gone; False where that takes longer."""
    wanted = set(refs)
    whats = {Followed(ref.kind, ref.namespace) for ref in wanted}
    if not whats:
        return True
    try:
        async with asyncio.timeout(seconds), following(client, *whats) as view:
            while any(ref in view.objects for ref in wanted):
                await view.change()
    except TimeoutError:
        return False
    return True


async def _apps_hint(client: HttpClient, namespace: str) -> list[str]:
    there: list[Obj] = await inventory.apps(client, "")
    if not there:
        return ["nothing has been brought up by wherry in this cluster"]
    labels = [(one["metadata"]["labels"][inventory.INVENTORY_LABEL], one["metadata"]["namespace"]) for one in there]
    return ["there are: " + ", ".join(name if space == namespace else f"{name} (-n {space})" for name, space in labels)]
