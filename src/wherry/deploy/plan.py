"""What an `up` of a folder means, from its files alone: which app, built of what, run by which manifests. Pure."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from wherry.deploy import images, project
from wherry.deploy.detect import DEFAULT_PORT, Detected, command_port, detect
from wherry.deploy.detect import Found as Finding
from wherry.deploy.errors import InputError
from wherry.deploy.folder import Found, Manifest, find
from wherry.deploy.manifests import REPLICAS, App, manifests
from wherry.deploy.project import Project
from wherry.images.detect import App as Source
from wherry.images.detect import Unclear
from wherry.images.detect import detect as detect_source
from wherry.images.detect.python import speaks
from wherry.images.detect.requirements import dependencies
from wherry.objects import Obj

FILE, PYPROJECT = "wherry.toml", "pyproject.toml"
DOCKERFILES = ("Dockerfile", "Containerfile")
GENERATED = "(made by wherry)"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`dockerfile` or `source` says what is built, neither where nothing is.

    `source` is an app without a Dockerfile; `image` is what the manifests call the app's image.
    """

    app: str
    project: Project
    found: Found
    detected: Detected
    dockerfile: str
    image: str
    notes: tuple[str, ...]
    source: Source | None = None

    @property
    def built_from(self) -> str:
        """ "" where nothing is built."""
        return self.dockerfile or (f"its {self.source.framework} sources" if self.source else "")

    @property
    def generates(self) -> bool:
        return not self.found.manifests

    @property
    def port(self) -> int:
        return (
            self.project.port
            or command_port(self.project.command)
            or int(self.detected.port.value if self.detected.port else DEFAULT_PORT)
        )


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the app goes. `replicas` is how many there are of it now, None where it is new."""

    namespace: str
    drain_seconds: int = 0
    replicas: int | None = None


Look = Callable[[Mapping[str, str]], Source]


def make(
    files: Mapping[str, str], folder: str, *, profile: str = "", dockerfile: str = "", look: Look = detect_source
) -> Plan:
    """The plan for `files`; `folder` is the folder's own name. Raises InputError.

    `look` is asked what the app is, where no Dockerfile says it.
    """
    wishes = wishes_of(files, profile)
    app = wishes.name or app_name(folder)
    found = find(files, wishes.manifests)
    built = _dockerfile(files, dockerfile or wishes.build.dockerfile)
    source = None
    if not built and not found.manifests and not wishes.image:
        source = source_of(files, folder, wishes, look)
    detected = _as_detected(source) if source else detect(files, built or "Dockerfile")
    if built and found.manifests:
        image = images.own_image(found.manifests, app, wishes.image)
    else:
        image = wishes.image or f"localhost/{app}:latest"
    plan = Plan(app=app, project=wishes, found=found, detected=detected, dockerfile=built, image=image, notes=())
    plan = replace(plan, source=source)
    return replace(plan, notes=tuple(_notes(plan)))


def objects(plan: Plan, pinned: str, place: Place) -> list[Manifest]:
    """The manifests that are applied, with `pinned` in the place of the app's image ("" where nothing was built)."""
    if not plan.generates:
        return images.swapped(plan.found.manifests, plan.image, pinned) if pinned else list(plan.found.manifests)
    writes, prepare = own_folder(plan)
    health = plan.project.health or (plan.detected.health.value if plan.detected.health else "")
    count = plan.project.replicas
    if count is None:
        first = 1 if writes else REPLICAS  # what each replica keeps for itself, no other sees
        count = first if place.replicas is None else place.replicas
    app = App(
        project=plan.project,
        name=plan.app,
        namespace=place.namespace,
        image=pinned or plan.image,
        port=plan.port,
        health=health,
        numeric_user=plan.detected.numeric_user,
        writes=writes,
        prepare=prepare,
        replicas=count,
        drain_seconds=place.drain_seconds,
    )
    return [Manifest(obj, GENERATED) for obj in manifests(app)]


def own_folder(plan: Plan) -> tuple[str, Sequence[Sequence[str]]]:
    """Why a replica gets a copy of its folder to write into ("" if none), and what is run there before the app."""
    wishes, source = plan.project, plan.source
    elsewhere = any("DATABASE" in name for name in wishes.env)  # then nothing is known of where the data is
    found = source.writes if source and not elsewhere else ""
    why = "wherry.toml" if wishes.writable else "" if wishes.writable is False else found
    if wishes.prepare is not None:
        return why or ("wherry.toml" if wishes.prepare else ""), [shlex.split(line) for line in wishes.prepare]
    return why, source.prepare if source and why == found else ()


def app_name(folder: str) -> str:
    """A folder's name as a name of objects: lower-case letters, digits and hyphens, a letter first."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")[:50].rstrip("-")
    return name if name[:1].isalpha() else f"app-{name}".rstrip("-")


def wishes_of(files: Mapping[str, str], profile: str) -> Project:
    """What the folder's wherry.toml or pyproject.toml says; all defaults where it has neither. Raises InputError."""
    if FILE in files:
        return project.parse(files[FILE], FILE, profile=profile)
    if project.has_table(files.get(PYPROJECT, "")):
        return project.parse(files[PYPROJECT], PYPROJECT, profile=profile, table="tool.wherry")
    if profile:
        raise InputError(f'there is no profile "{profile}": there is no wherry.toml', "write one with [profiles.NAME]")
    return Project()


def source_of(files: Mapping[str, str], folder: str, wishes: Project, look: Look = detect_source) -> Source:
    """The Python app that the folder is. Raises InputError where it is none, or says too little."""
    try:
        found = look(files)
    except Unclear as unclear:
        if not (wishes.command and speaks(files)):
            raise InputError(
                f"{folder}: there is no Dockerfile, and there are no Kubernetes manifests; {unclear}",
                'write a Dockerfile there; or name an image that exists in wherry.toml: image = "registry/app:1"',
                "manifests are looked for in *.yaml beside the app and in k8s/, deploy/ and manifests/",
            ) from None
        found = Source("python", "python", wishes.command, wishes.port or DEFAULT_PORT, dependencies(files)[0])
    if found.language != "python":
        raise InputError(
            f"{folder}: there is no Dockerfile; this is {found.framework}, and only Python apps are built without one",
            "`wherry init` writes a Dockerfile for it",
        )
    return found


def _as_detected(source: Source) -> Detected:
    why = {reason.what: reason.why for reason in source.reasons}
    port = Finding(str(source.port), why.get(f"port {source.port}", f"what {source.framework} is told"))
    health = Finding(source.health, why.get(f"health {source.health}", "a route of that name"))
    first = next((reason for reason in source.reasons if source.framework in reason.what.lower()), None)
    framework = Finding(source.framework, first.why if first else "the sources")
    return Detected(framework, port, health if source.health else None, "10001:10001")


def _dockerfile(files: Mapping[str, str], asked: str) -> str:
    if asked:
        if asked not in files:
            raise InputError(f"{asked}: there is no such Dockerfile in the folder")
        return asked
    return next((name for name in DOCKERFILES if name in files), "")


def _notes(plan: Plan) -> Sequence[str]:
    out = []
    if plan.generates:
        found = plan.detected
        if found.framework is not None:
            out.append(f"framework {found.framework}")
        named = plan.project.port or command_port(plan.project.command)
        why = "wherry.toml" if named else found.port.why if found.port else "nothing says another"
        out.append(f"port {plan.port} ({why})")
        if plan.project.health:
            out.append(f"health {plan.project.health} (wherry.toml)")
        else:
            out.append(f"health {found.health}" if found.health else "health: an open port (no health path was found)")
        writes, prepare = own_folder(plan)
        if writes:
            out.append(f"a copy of its folder to write into, gone with the replica, so one replica ({writes})")
        out += [f"before it starts: {' '.join(words)}" for words in prepare]
    else:
        sources = dict.fromkeys(each.source for each in plan.found.manifests)
        out.append(f"manifests {', '.join(sources)}")
        if plan.found.others:
            out.append(f"passed over, as no manifests: {', '.join(plan.found.others)}")
    if plan.dockerfile:
        out.append(f"{plan.dockerfile} builds {plan.image}")
    if plan.source:
        words = " ".join(plan.project.command or plan.source.command)
        out.append(f"no Dockerfile: {plan.image} is made in layers, to run {words}")
    return out


def replicas_of(deployment: Obj | None) -> int | None:
    return int(deployment["spec"].get("replicas", 1)) if deployment is not None else None
