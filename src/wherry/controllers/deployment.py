"""Deployment: one ReplicaSet for each revision of the pod template, and the way from the old ones to the new one.

How large each may be is `deployment_sizes`; what the status says is `deployment_status`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from wherry.client.actions import Action, Again, Create, Delete, Emit, MergePatch, SetStatus, status_of
from wherry.client.controller import Controller
from wherry.client.lister import Lister
from wherry.controllers import deployment_sizes as sizes
from wherry.controllers import deployment_status as statuses
from wherry.controllers.claims import adopt, claimants, namespace_ends, orphans, release, strays
from wherry.objects import Obj, Ref, copied, kind_of, ref_of
from wherry.objects.errors import ApiError
from wherry.objects.owners import controller_of, owner_reference
from wherry.objects.pods import TEMPLATE_HASH, finished, same_template, template_hash

KIND = "Deployment.apps"
REPLICASET = "ReplicaSet.apps"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
NO_LIMIT = 2**31 - 1
_HISTORY_CHARACTERS = 2000
_NAME_CHARACTERS = 253
_OWN_ANNOTATIONS = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        HISTORY,
        sizes.DESIRED,
        sizes.MOST,
        "deprecated.deployment.rollback.to",
    }
)


@dataclass(frozen=True)
class Observed:
    """`new` has the current template, `old` are all others; `taken`: a ReplicaSet that has the name `new` would get."""

    deployment: Obj
    now: datetime
    new: Obj | None = None
    old: tuple[Obj, ...] = ()
    orphans: tuple[Obj, ...] = ()
    strays: tuple[Obj, ...] = ()
    old_pods: bool = False
    taken: Obj | None = None


def observe(deployment: Obj, lister: Lister, now: datetime) -> Observed:
    owned = lister.controlled(deployment, REPLICASET)
    gone = strays(deployment, owned)
    kept = sorted((each for each in owned if each not in gone), key=sizes.created)
    template = deployment["spec"]["template"]
    new = next((each for each in kept if same_template(each["spec"]["template"], template)), None)
    old = tuple(each for each in kept if each is not new)
    return Observed(
        deployment,
        now,
        new,
        old,
        orphans(deployment, REPLICASET, lister),
        gone,
        not sizes.rolling(deployment) and _runs_pods(old, lister),
        None if new else lister.get(REPLICASET, deployment["metadata"]["namespace"], new_name(deployment)),
    )


def _runs_pods(replicasets: Iterable[Obj], lister: Lister) -> bool:
    return any(
        status_of(each).get("replicas", 0) or any(not finished(pod) for pod in lister.controlled(each, "Pod"))
        for each in replicasets
    )


def plan(seen: Observed) -> Iterator[Action]:
    """One step of the rollout and the status as it was before it: the step's writes wake the next look."""
    deployment, new, old = seen.deployment, seen.new, seen.old
    if seen.orphans or seen.strays:
        yield from (adopt(deployment, each) for each in seen.orphans)
        yield from (release(deployment, each) for each in seen.strays)
        return
    if deployment["metadata"].get("deletionTimestamp"):
        yield from _settle(deployment, statuses.counts_for(deployment, new, old, seen.now))
        return
    labelled = list(_label(seen))
    if labelled:
        yield from labelled
        return
    if deployment["spec"].get("paused") or sizes.was_scaled(deployment, [*old, *([new] if new else [])]):
        yield from sizes.scale(deployment, new, old)
        if deployment["spec"].get("paused"):
            yield from _forget_revisions(seen)
        yield from _settle(deployment, _status(seen))
        return
    yield from _roll(seen) if sizes.rolling(deployment) else _recreate(seen)


def _roll(seen: Observed) -> Iterator[Action]:
    deployment, new, old = seen.deployment, seen.new, seen.old
    if new is None:
        yield from _introduce(seen)
        return
    steps = list(sizes.grow_new(deployment, new, old)) or list(sizes.shrink_old(deployment, new, old))
    yield from steps
    if not steps and statuses.complete(deployment, status_of(deployment)):
        yield from _forget_revisions(seen)
    yield from _finish(seen)


def _recreate(seen: Observed) -> Iterator[Action]:
    """No new pod before the last old one has ended."""
    deployment, new = seen.deployment, seen.new
    steps = [step for each in sizes.active(seen.old) for step in sizes.resize(deployment, each, 0)]
    if steps or seen.old_pods:
        yield from steps
    elif new is None:
        yield from _introduce(seen)
        return
    else:
        if sizes.replicas(new) != sizes.replicas(deployment):
            yield from sizes.resize(deployment, new, sizes.replicas(deployment))
        if statuses.complete(deployment, status_of(deployment)):
            yield from _forget_revisions(seen)
    yield from _finish(seen)


def _status(seen: Observed) -> Obj:
    status = statuses.counts_for(seen.deployment, seen.new, seen.old, seen.now)
    if seen.new is not None and statuses.deadline_of(seen.deployment) and not statuses.progressing_of(status):
        message = f'Found new replica set "{seen.new["metadata"]["name"]}"'
        status = statuses.with_condition(status, "Progressing", "True", "FoundNewReplicaSet", message, seen.now)
    return statuses.with_pause(seen.deployment, status, seen.now)


def _finish(seen: Observed) -> Iterator[Action]:
    """The status with a verdict on progress, and a look when the deadline passes."""
    deployment = seen.deployment
    status = statuses.with_progress(deployment, _status(seen), seen.new, seen.now)
    status = statuses.with_failures(status, seen.new, seen.old)
    yield from _settle(deployment, status)
    left = statuses.seconds_left(deployment, status, seen.now)
    if left is not None and not statuses.complete(deployment, status):
        yield Again(max(left, 0) + 1)


def _settle(deployment: Obj, status: Obj) -> Iterator[Action]:
    if status != status_of(deployment):
        yield SetStatus(deployment, status)


def _introduce(seen: Observed) -> Iterator[Action]:
    """Create the ReplicaSet of the current template; where its name is taken, give the template another hash."""
    deployment, now = seen.deployment, seen.now
    if seen.taken is not None:
        before = status_of(deployment)
        yield SetStatus(deployment, {**before, "collisionCount": before.get("collisionCount", 0) + 1})
        return
    new = new_replicaset(deployment, seen.old)
    name, size = new["metadata"]["name"], sizes.replicas(new)
    yield Create(new)
    if size:
        message = f"Scaled up replica set {name} from 0 to {size}"
        yield Emit(deployment, "Normal", "ScalingReplicaSet", message)
    status = statuses.with_pause(deployment, statuses.counts_for(deployment, None, seen.old, now), now)
    if statuses.deadline_of(deployment) is not None:
        message = f'Created new replica set "{name}"'
        status = statuses.with_condition(status, "Progressing", "True", "NewReplicaSetCreated", message, now)
    yield from _settle(deployment, status)


def new_name(deployment: Obj) -> str:
    suffix = "-" + _hash(deployment)
    return str(deployment["metadata"]["name"])[: _NAME_CHARACTERS - len(suffix)] + suffix


def _hash(deployment: Obj) -> str:
    return template_hash(deployment["spec"]["template"], status_of(deployment).get("collisionCount", 0))


def new_replicaset(deployment: Obj, old: tuple[Obj, ...]) -> Obj:
    spec, meta = deployment["spec"], deployment["metadata"]
    mark = {TEMPLATE_HASH: _hash(deployment)}
    template_meta = spec["template"].get("metadata") or {}
    labels = {**(template_meta.get("labels") or {}), **mark}
    matched = {**(spec["selector"].get("matchLabels") or {}), **mark}
    inherited = {k: v for k, v in (meta.get("annotations") or {}).items() if k not in _OWN_ANNOTATIONS}
    revision = {REVISION: str(max(map(revision_of, old), default=0) + 1)}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": new_name(deployment),
            "namespace": meta["namespace"],
            "labels": labels,
            "annotations": {**inherited, **revision, **sizes.size_annotations(deployment)},
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": {
            "replicas": sizes.first_size(deployment, old, 0),
            **({"minReadySeconds": spec["minReadySeconds"]} if spec.get("minReadySeconds") else {}),
            "selector": {**copied(spec["selector"]), "matchLabels": matched},
            "template": {**copied(spec["template"]), "metadata": {**copied(template_meta), "labels": dict(labels)}},
        },
    }


def revision_of(replicaset: Obj) -> int:
    text = (replicaset["metadata"].get("annotations") or {}).get(REVISION, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _label(seen: Observed) -> Iterator[Action]:
    """Number the revision on its ReplicaSet, carry annotations over to it, and the number back to the deployment."""
    deployment, new = seen.deployment, seen.new
    if new is None:
        return
    marks = _new_annotations(deployment, new, max(map(revision_of, seen.old), default=0) + 1)
    min_ready = deployment["spec"].get("minReadySeconds", 0)
    patch: Obj = {"metadata": {"annotations": marks}} if marks else {}
    if new["spec"].get("minReadySeconds", 0) != min_ready:
        patch["spec"] = {"minReadySeconds": min_ready or None}
    if patch:
        yield MergePatch(ref_of(new), patch)
        return
    number = (new["metadata"].get("annotations") or {}).get(REVISION, "")
    if (deployment["metadata"].get("annotations") or {}).get(REVISION) != number:
        # by its status, where the server counts annotations as no change of what is desired
        yield MergePatch(ref_of(deployment), {"metadata": {"annotations": {REVISION: number}}}, "status")


def _new_annotations(deployment: Obj, new: Obj, revision: int) -> dict[str, str]:
    """The annotations of `new` that must change."""
    has = new["metadata"].get("annotations") or {}
    own = (deployment["metadata"].get("annotations") or {}).items()
    marks = {k: v for k, v in own if k not in _OWN_ANNOTATIONS and has.get(k) != v}
    if revision_of(new) < revision:
        marks[REVISION] = str(revision)
        if has.get(REVISION):
            marks[HISTORY] = _history(has.get(HISTORY, ""), has[REVISION])
    return marks


def _history(known: str, revision: str) -> str:
    """The revisions that this template once was, the latest last; the oldest are dropped where it gets too long."""
    numbers = [*(known.split(",") if known else ()), revision]
    while len(",".join(numbers)) > _HISTORY_CHARACTERS:
        del numbers[0]
    return ",".join(numbers)


def _forget_revisions(seen: Observed) -> Iterator[Action]:
    """Delete the oldest empty ReplicaSets beyond revisionHistoryLimit."""
    limit = seen.deployment["spec"].get("revisionHistoryLimit", NO_LIMIT)
    alive = [each for each in seen.old if not each["metadata"].get("deletionTimestamp")]
    surplus = len(alive) - limit if limit != NO_LIMIT else 0
    if surplus <= 0:
        return
    for each in sorted(alive, key=lambda each: (revision_of(each), sizes.created(each)))[:surplus]:
        status = status_of(each)
        settled = each["metadata"].get("generation", 0) <= status.get("observedGeneration", 0)
        if settled and not status.get("replicas", 0) and not sizes.replicas(each):
            yield Delete(ref_of(each), each["metadata"]["uid"])


def failed(seen: Observed, error: ApiError) -> Iterator[Action]:
    """Say on the deployment that its new ReplicaSet could not be created."""
    deployment = seen.deployment
    creating = seen.new is None and seen.taken is None and not seen.orphans and not seen.strays
    if not creating or namespace_ends(error):
        return
    message = f'Failed to create new replica set "{new_name(deployment)}": {error.message}'
    yield Emit(deployment, "Warning", "ReplicaSetCreateError", message)
    if statuses.deadline_of(deployment) is not None:
        before = status_of(deployment)
        status = statuses.with_condition(before, "Progressing", "False", "ReplicaSetCreateError", message, seen.now)
        yield from _settle(deployment, status)


def _of_pod(pod: Obj, lister: Lister) -> Iterator[Ref]:
    """A Recreate rollout waits for its old pods."""
    ref = controller_of(pod)
    replicaset = lister.by_uid(ref["uid"]) if ref and ref["kind"] == "ReplicaSet" else None
    above = controller_of(replicaset) if replicaset else None
    deployment = lister.by_uid(above["uid"]) if above and above["kind"] == "Deployment" else None
    if deployment is not None and kind_of(deployment) == KIND and not sizes.rolling(deployment):
        yield ref_of(deployment)


DEPLOYMENT = Controller(
    name="deployment",
    kind=KIND,
    observe=observe,
    plan=plan,
    failed=failed,
    owns=(REPLICASET,),
    watches={REPLICASET: lambda replicaset, lister: claimants(replicaset, KIND, lister), "Pod": _of_pod},
)
