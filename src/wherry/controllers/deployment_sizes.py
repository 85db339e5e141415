"""Deployment: how many replicas each of its ReplicaSets should have. Numbers and who gets them, no status."""

import math
from collections.abc import Iterable, Iterator, Sequence

from wherry.client.actions import Action, Emit, MergePatch, status_of
from wherry.objects import Obj, ref_of

DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"


def replicas(obj: Obj) -> int:
    return int(obj["spec"].get("replicas", 1))


def created(obj: Obj) -> tuple[str, str]:
    """Sorts by age, oldest first."""
    return (obj["metadata"]["creationTimestamp"], obj["metadata"]["name"])


def rolling(deployment: Obj) -> bool:
    return str((deployment["spec"].get("strategy") or {}).get("type", "RollingUpdate")) == "RollingUpdate"


def fenceposts(deployment: Obj) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) as numbers: surge rounded up, unavailable down, never both 0, none without rolling."""
    if not rolling(deployment):
        return 0, 0
    wish = replicas(deployment)
    limits = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    surge = _scaled(limits.get("maxSurge", "25%"), wish, up=True)
    unavailable = _scaled(limits.get("maxUnavailable", "25%"), wish, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, wish)


def _scaled(value: int | str, total: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    part = int(value.removesuffix("%")) * total
    return -(-part // 100) if up else part // 100


def total(replicasets: Iterable[Obj]) -> int:
    return sum(replicas(each) for each in replicasets)


def counted(replicasets: Iterable[Obj], field: str) -> int:
    return sum(status_of(each).get(field, 0) for each in replicasets)


def active(replicasets: Iterable[Obj]) -> list[Obj]:
    return [each for each in replicasets if replicas(each) > 0]


def size_annotations(deployment: Obj) -> dict[str, str]:
    wish = replicas(deployment)
    return {DESIRED: str(wish), MOST: str(wish + fenceposts(deployment)[0])}


def resize(deployment: Obj, replicaset: Obj, size: int) -> Iterator[Action]:
    """Give `replicaset` this size and write down what the deployment wanted at that moment."""
    before = replicas(replicaset)
    wanted = size_annotations(deployment)
    if before == size and wanted.items() <= (replicaset["metadata"].get("annotations") or {}).items():
        return
    yield MergePatch(ref_of(replicaset), {"metadata": {"annotations": wanted}, "spec": {"replicas": size}})
    if before != size:
        direction = "up" if size > before else "down"
        name = replicaset["metadata"]["name"]
        message = f"Scaled {direction} replica set {name} from {before} to {size}"
        yield Emit(deployment, "Normal", "ScalingReplicaSet", message)


def was_scaled(deployment: Obj, replicasets: Iterable[Obj]) -> bool:
    """The wish has changed since the ReplicaSets were last sized: resize in proportion, do not roll."""
    return any(
        desired is not None and desired != replicas(deployment)
        for desired in (_annotated(each, DESIRED) for each in active(replicasets))
    )


def _annotated(obj: Obj, key: str) -> int | None:
    text = (obj["metadata"].get("annotations") or {}).get(key, "")
    return int(text) if text.isascii() and text.isdigit() else None


def first_size(deployment: Obj, replicasets: Sequence[Obj], current: int) -> int:
    """How large the new ReplicaSet may be now."""
    wish = replicas(deployment)
    if not rolling(deployment):
        return wish
    room = wish + fenceposts(deployment)[0] - total(replicasets)
    return current if room <= 0 else current + min(room, wish - current)


def grow_new(deployment: Obj, new: Obj, old: Sequence[Obj]) -> Iterator[Action]:
    size, wish = replicas(new), replicas(deployment)
    if size > wish:
        yield from resize(deployment, new, wish)
    elif size < wish:
        size = first_size(deployment, [*old, new], size)
        if size != replicas(new):
            yield from resize(deployment, new, size)


def shrink_old(deployment: Obj, new: Obj, old: Sequence[Obj]) -> Iterator[Action]:
    """Take away as many old replicas as availability allows: first those that are not available anyway."""
    olds = sorted(active(old), key=created)
    needed = replicas(deployment) - fenceposts(deployment)[1]
    unavailable_new = replicas(new) - status_of(new).get("availableReplicas", 0)
    most = total([*old, new]) - needed - unavailable_new
    if not olds or most <= 0:
        return
    sizes = {each["metadata"]["name"]: replicas(each) for each in olds}
    for each in olds:
        name = each["metadata"]["name"]
        unhealthy = sizes[name] - status_of(each).get("availableReplicas", 0)
        taken = max(min(most, unhealthy), 0)
        sizes[name] -= taken
        most -= taken
    # a ReplicaSet that has just been sized down may still report more than it will keep
    available = sum(min(status_of(each).get("availableReplicas", 0), replicas(each)) for each in [*old, new])
    spare = min(available - needed, most)
    for each in olds:
        taken = max(min(sizes[each["metadata"]["name"]], spare), 0)
        sizes[each["metadata"]["name"]] -= taken
        spare -= taken
    for each in olds:
        size = sizes[each["metadata"]["name"]]
        if size != replicas(each):
            yield from resize(deployment, each, size)


def scale(deployment: Obj, new: Obj | None, old: Sequence[Obj]) -> Iterator[Action]:
    """Follow a changed `spec.replicas` (or one of a paused deployment) without speeding a rollout up."""
    everyone = [*old, *([new] if new else [])]
    acting = active(everyone)
    if len(acting) <= 1:
        latest = acting[0] if acting else new or max(old, key=created, default=None)
        if latest is not None and replicas(latest) != replicas(deployment):
            yield from resize(deployment, latest, replicas(deployment))
        elif acting and not acting_agrees(deployment, acting[0]):
            yield from resize(deployment, acting[0], replicas(deployment))
    elif new is not None and _saturated(deployment, new):
        for each in active(old):
            yield from resize(deployment, each, 0)
    elif rolling(deployment):
        yield from _in_proportion(deployment, acting)


def acting_agrees(deployment: Obj, replicaset: Obj) -> bool:
    return _annotated(replicaset, DESIRED) == replicas(deployment)


def _saturated(deployment: Obj, new: Obj) -> bool:
    wish = replicas(deployment)
    available = status_of(new).get("availableReplicas", 0)
    return replicas(new) == wish == available and _annotated(new, DESIRED) == wish


def _in_proportion(deployment: Obj, acting: list[Obj]) -> Iterator[Action]:
    wish = replicas(deployment)
    allowed = wish + fenceposts(deployment)[0] if wish else 0
    change = allowed - total(acting)
    # growing favours the newer of two equal ones, shrinking takes from the older
    by_age = sorted(acting, key=created, reverse=change > 0)
    by_size = sorted(by_age, key=replicas, reverse=True)
    sizes, given = [], 0
    for each in by_size:
        part = _part(deployment, each, change, given)
        sizes.append(replicas(each) + part)
        given += part
    sizes[0] = max(sizes[0] + change - given, 0)
    for each, size in zip(by_size, sizes, strict=True):
        yield from resize(deployment, each, size)


def _part(deployment: Obj, replicaset: Obj, change: int, given: int) -> int:
    """The share of `change` that falls to this ReplicaSet, within what is left."""
    if change in (0, given):
        return 0
    fraction = _fraction(deployment, replicaset)
    return min(fraction, change - given) if change > 0 else max(fraction, change - given)


def _fraction(deployment: Obj, replicaset: Obj) -> int:
    size = replicas(replicaset)
    if replicas(deployment) == 0:
        return -size
    before = _annotated(replicaset, MOST) or status_of(deployment).get("replicas", 0)
    if not before:
        return 0
    after = replicas(deployment) + fenceposts(deployment)[0]
    return math.floor(size * after / before + 0.5) - size
