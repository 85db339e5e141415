"""What a pod needs next on this node: pod and runtime state in, steps out. `execute` carries them out.

A plan is made anew after each step that ended; steps under way are named in `Seen.busy` and are not planned again.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from wherry.node.runtime import Container, State
from wherry.node.seen import (
    Probed,
    Seen,
    changed,
    container_spec,
    deadline,
    ended,
    ephemeral_containers,
    grace_seconds,
    held_until,
    init_containers,
    is_sidecar,
    main_containers,
    next_attempt,
    next_backoff,
    past_deadline,
    pod_label,
    should_restart,
    stop_by,
    stopping,
)
from wherry.node.status import DEADLINE_EXCEEDED
from wherry.node.steps import (
    CreateAndStart,
    DropVolumes,
    Finalize,
    Forget,
    Kill,
    MakeVolumes,
    PreStop,
    Pull,
    RemoveContainer,
    RemoveSandbox,
    RunSandbox,
    Step,
    StopSandbox,
    Tell,
    Wait,
    Withdraw,
)
from wherry.objects import Obj

LEAST_GRACE = timedelta(seconds=2)  # even late, a process gets the time to notice its SIGTERM (as upstream)


def plan(seen: Seen) -> Iterator[Step]:
    """The next steps; nothing when all is as it should be or under way."""
    if stopping(seen):
        yield from _stop(seen)
        return
    if ended(seen):
        yield from _settle(seen)
        return
    limit = deadline(seen)
    if limit is not None:
        yield Wait(limit)
    yield from _prune(seen)
    yield from _run(seen)


_UNKNOWN = '{} is in "unknown" state, try killing it before restart'


# A pod that runs


def _run(seen: Seen) -> Iterator[Step]:
    if not seen.volumes:
        yield from _unless_failed(seen, "", "volumes", MakeVolumes())
        return
    if seen.sandbox is None:
        yield from _new_sandbox(seen)
        return
    starts = [one["name"] for one in ephemeral_containers(seen.pod) if seen.last(one["name"]) is None]
    inits, initialized = _init(seen)
    for step in inits:
        if isinstance(step, str):
            starts.append(step)
        else:
            yield step
    if initialized:
        for step in _main(seen):
            if isinstance(step, str):
                starts.append(step)
            else:
                yield step
    yield from _start(seen, starts)


def _new_sandbox(seen: Seen) -> Iterator[Step]:
    """Every container is started anew in it, so what ran in the old one has to end first."""
    left = list(seen.running())
    for container in left:
        if container.id not in seen.killing:
            yield Kill(container.id, container.name, seen.now, "")
    if left or "sandbox" in seen.busy:
        return
    if seen.sandboxes:
        attempt = seen.sandboxes[0].attempt + 1
        yield Tell(
            f"sandbox/{attempt}", "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created."
        )
    else:
        attempt = 0
    old = tuple(sandbox.id for sandbox in seen.sandboxes)
    yield from _unless_failed(seen, "", "sandbox", RunSandbox(attempt, old))
    yield from _pulls(seen, _first(seen))


def _first(seen: Seen) -> Sequence[str]:
    """The containers that are started first in a fresh sandbox."""
    inits = init_containers(seen.pod)
    if inits:
        return (inits[0]["name"],)
    return [one["name"] for one in main_containers(seen.pod) if _wanted(seen, one)]


def _wanted(seen: Seen, container: Obj) -> bool:
    """Whether a main container is (still) to be started in this sandbox; one that may end does so once."""
    if seen.current(container["name"]) is None and seen.spec.get("restartPolicy", "Always") == "Always":
        return True
    return should_restart(seen.pod, container, seen.last(container["name"]))


def _init(seen: Seen) -> tuple[list[Step | str], bool]:
    """Steps and names to start, and whether the main containers may run."""
    inits = init_containers(seen.pod)
    furthest = _furthest(seen, inits)
    steps: list[Step | str] = []
    for index, container in enumerate(inits):
        if index < furthest and not is_sidecar(container):
            continue  # done; its container may have been pruned
        last = seen.current(container["name"])
        if last is None or last.state in (State.CREATED, State.EXITED):
            if last is not None and last.state is State.EXITED and not is_sidecar(container) and not last.exit_code:
                continue
            steps.append(container["name"])
            passed = False
        elif last.state is State.UNKNOWN:
            if last.id not in seen.killing:
                steps.append(Kill(last.id, last.name, seen.now, _UNKNOWN.format("Init container")))
            passed = False
        elif is_sidecar(container):
            kill = _fault(seen, container, last, "Init container")
            if kill is not None:
                steps.append(kill)
            passed = seen.probes.get(last.id, Probed()).started and f"start:{container['name']}" not in seen.busy
        else:
            passed = False
        if not passed and index >= furthest:
            return steps, False
    return steps, True


def _furthest(seen: Seen, inits: Sequence[Obj]) -> int:
    """The init containers before this index have done their part in this sandbox."""
    if any(seen.current(one["name"]) is not None for one in main_containers(seen.pod)):
        return len(inits)
    reached = [index for index, one in enumerate(inits) if seen.current(one["name"]) is not None]
    return max(reached, default=0)


def _main(seen: Seen) -> Iterator[Step | str]:
    for container in main_containers(seen.pod):
        last = seen.current(container["name"])
        if last is not None and last.state is State.RUNNING:
            kill = _fault(seen, container, last, "Container")
            if kill is not None:
                yield kill
        elif last is not None and last.state is State.UNKNOWN:
            if last.id not in seen.killing:
                yield Kill(last.id, last.name, seen.now, _UNKNOWN.format("Container"))
        elif _wanted(seen, container):
            yield container["name"]


def _fault(seen: Seen, container: Obj, last: Container, what: str) -> Kill | None:
    """Why a running container has to be killed, if it has."""
    failed = seen.probes.get(last.id, Probed()).failed
    if last.id in seen.killing or f"start:{last.name}" in seen.busy:
        return None
    if changed(container, last):
        message = f"{what} {last.name} definition changed"
    elif failed:
        message = f"{what} {last.name} failed {failed} probe"
    else:
        return None
    if what == "Container" and (not failed or seen.spec.get("restartPolicy") != "Never"):
        message += ", will be restarted"
    probe = container.get(f"{failed}Probe") or {}
    grace = probe.get("terminationGracePeriodSeconds")
    by = seen.now + timedelta(seconds=grace_seconds(seen.pod) if grace is None else grace)
    return Kill(last.id, last.name, by, message, hook=True)


def _start(seen: Seen, names: Sequence[str]) -> Iterator[Step]:
    """Start them in order, as soon as their back-offs and images allow; one that cannot be had holds up no other."""
    free: list[str] = []
    for name in names:
        last = seen.last(name)
        until = held_until(last)
        if until is not None and until > seen.now:
            yield Tell(
                f"backoff/{name}/{last.attempt if last else 0}",
                "Warning",
                "BackOff",
                f"Back-off restarting failed container {name} in pod {pod_label(seen.pod)}",
                name,
            )
            yield Wait(until)
        else:
            free.append(name)
    yield from _pulls(seen, free)
    if any(task.startswith("start:") for task in seen.busy):
        return
    for name in free:
        failure = seen.failures.get(name)
        if name in seen.images:
            if failure is not None and failure.until is not None and failure.until > seen.now:
                yield Wait(failure.until)
                continue
            yield CreateAndStart(name, next_attempt(seen, name), next_backoff(seen.last(name)))
        elif f"pull:{name}" in seen.busy or failure is None:
            return  # those after it wait for their turn


def _pulls(seen: Seen, names: Sequence[str]) -> Iterator[Step]:
    for name in names:
        if name not in seen.images:
            yield from _unless_failed(seen, name, f"pull:{name}", Pull(name))


def _unless_failed(seen: Seen, name: str, task: str, step: Step) -> Iterator[Step]:
    """The step, unless it is under way or has failed and is to wait."""
    if task in seen.busy:
        return
    failure = seen.failures.get(name)
    if failure is not None and failure.until is not None and failure.until > seen.now:
        yield Wait(failure.until)
        return
    yield step


def _prune(seen: Seen) -> Iterator[Step]:
    """Of each container its newest and the one before it are kept, for `kubectl logs --previous`."""
    kept: dict[str, int] = {}
    used: set[str] = set()
    for container in seen.containers:
        kept[container.name] = kept.get(container.name, 0) + 1
        if kept[container.name] > 2 and container.state is State.EXITED:
            yield RemoveContainer(container.id)
        else:
            used.add(container.sandbox_id)
    for sandbox in seen.sandboxes:
        if not sandbox.ready and sandbox.id not in used and seen.sandbox is not None:
            yield RemoveSandbox(sandbox.id)


# A pod that is to end


def _stop(seen: Seen) -> Iterator[Step]:
    """Out of the routing, preStop, SIGTERM, SIGKILL, sandbox, volumes, and last the API's object."""
    if any(task in ("sandbox", "volumes") or task.startswith("start:") for task in seen.busy):
        return  # its end wakes the pod
    running = list(seen.running())
    if running:
        yield from _end_containers(seen, running, withdraw=True)
        return
    for sandbox in seen.sandboxes:  # not stopped before: the runtime would take its network away twice
        yield RemoveSandbox(sandbox.id)
    if not seen.dropped:
        yield DropVolumes()
    elif not seen.gone and not seen.finalized:
        yield Finalize()
    elif seen.gone and not seen.sandboxes:
        yield Forget()


def _settle(seen: Seen) -> Iterator[Step]:
    """The pod has ended, its object stays: keep what its logs need until it is deleted."""
    if any(task == "sandbox" or task.startswith("start:") for task in seen.busy):
        return
    running = list(seen.running())
    if running:
        if past_deadline(seen) is not None:
            yield Tell("deadline", "Normal", *DEADLINE_EXCEEDED)
        yield from _end_containers(seen, running, withdraw=False)
        return
    for sandbox in seen.sandboxes:
        if sandbox.ready:
            yield StopSandbox(sandbox.id)
    if not seen.dropped:
        yield DropVolumes()
    yield from _prune(seen)


def _end_containers(seen: Seen, running: Sequence[Container], *, withdraw: bool) -> Iterator[Step]:
    """Main containers together, then the sidecars, last started first. At the end of the grace all at once."""
    by = stop_by(seen)
    if seen.now < by:
        yield Wait(by)
    if withdraw and not seen.withdrawn and seen.now < by:
        if "withdraw" not in seen.busy:
            yield Withdraw(seen.now + (by - seen.now) / 2)
        return
    turn = _turn(seen, running)
    for container in running:
        if seen.now < by and container.name not in turn:
            continue
        yield from _end(seen, container, by)


def _turn(seen: Seen, running: Sequence[Container]) -> frozenset[str]:
    sidecars = [one["name"] for one in init_containers(seen.pod) if is_sidecar(one)]
    names = {one.name for one in running}
    mains = names.difference(sidecars)
    if mains:
        return frozenset(mains)
    return frozenset([name for name in sidecars if name in names][-1:])


def _end(seen: Seen, container: Container, by: datetime) -> Iterator[Step]:
    spec = container_spec(seen.pod, container.name) or {}
    hook = (spec.get("lifecycle") or {}).get("preStop") is not None
    message = f"Stopping container {container.name}"
    if hook and container.id not in seen.prestopped and seen.now < by:
        if f"prestop:{container.id}" not in seen.busy and container.id not in seen.killing:
            yield PreStop(container.id, container.name, by, message)
        return
    at = max(by, seen.now + LEAST_GRACE)
    planned = seen.killing.get(container.id)
    if planned is None or planned > at + timedelta(milliseconds=500):
        yield Kill(container.id, container.name, at, message)
