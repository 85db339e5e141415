"""A pod for one command: its manifest, what it waits for, how it ended. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wherry.objects import Obj

LABEL = "wherry.io/run"
CONTAINER = "run"
HOPELESS = frozenset(
    (
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    )
)
"""Reasons of waiting that a one-off pod does not come out of by itself."""


@dataclass(frozen=True, kw_only=True)
class OneOff:
    """What to run."""

    name: str
    namespace: str
    image: str
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: Sequence[tuple[int, int]] = ()  # published, of the container
    stdin: bool = False
    tty: bool = False


def name_for(image: str, suffix: str) -> str:
    """A pod's name that tells the image."""
    base = image.rpartition("/")[2].partition("@")[0].partition(":")[0].lower()
    return f"{re.sub(r'[^a-z0-9]+', '-', base).strip('-')[:40] or 'run'}-{suffix}"


def pod(wanted: OneOff) -> Obj:
    """Never restarted; ends soon when told to."""
    container: Obj = {"name": CONTAINER, "image": wanted.image, "imagePullPolicy": "IfNotPresent"}
    if wanted.command:
        container["args"] = list(wanted.command)
    if wanted.environment:
        container["env"] = [{"name": key, "value": value} for key, value in wanted.environment.items()]
    if wanted.ports:
        container["ports"] = [{"containerPort": inner} for _, inner in wanted.ports]
    if wanted.stdin:
        container |= {"stdin": True, "stdinOnce": True}
    if wanted.tty:
        container["tty"] = True
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": wanted.name, "namespace": wanted.namespace, "labels": {LABEL: wanted.name}},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 5, "containers": [container]},
    }


def service(wanted: OneOff, owner: Obj) -> Obj:
    """Publishes the ports; goes when the pod goes."""
    meta = owner["metadata"]
    reference = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
    ports = [{"name": f"p{outer}", "port": outer, "targetPort": inner} for outer, inner in wanted.ports]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": wanted.name, "namespace": wanted.namespace, "ownerReferences": [reference]},
        "spec": {"type": "LoadBalancer", "selector": {LABEL: wanted.name}, "ports": ports},
    }


def container_state(seen: Obj) -> Obj:
    """`waiting`, `running` or `terminated`, as the API has it; {} before the first."""
    statuses = (seen.get("status") or {}).get("containerStatuses") or [{}]
    state: Obj = statuses[0].get("state") or {}
    return state


def started(seen: Obj) -> bool:
    return bool({"running", "terminated"} & container_state(seen).keys())


def exit_code(seen: Obj) -> int | None:
    """Of the command, None while it runs. A pod that the node gave up has none of its own: 1."""
    ended = container_state(seen).get("terminated")
    if ended is not None:
        return int(ended.get("exitCode", 1))
    return 1 if (seen.get("status") or {}).get("phase") == "Failed" else None


def hopeless(seen: Obj) -> str | None:
    """Why the pod will never start, None while there is hope."""
    waiting = container_state(seen).get("waiting") or {}
    if waiting.get("reason") in HOPELESS:
        return f"{waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
    status = seen.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("reason") == "Unschedulable":
            return f"Unschedulable: {condition.get('message', '')}"
    if status.get("phase") == "Failed" and not started(seen):
        return f"{status.get('reason', 'Failed')}: {status.get('message', '')}".rstrip(": ")
    return None


def progress(seen: Obj) -> str:
    """What it does at the moment, in a word."""
    waiting = container_state(seen).get("waiting") or {}
    return str(waiting.get("reason") or (seen.get("status") or {}).get("phase") or "Pending")


def published(text: str) -> tuple[int, int]:
    """`8080:80` or `80`. Raises ValueError."""
    outer, colon, inner = text.partition(":")
    pair = (outer, inner if colon else outer)
    if not all(part.isdigit() and 1 <= int(part) <= 65535 for part in pair):
        raise ValueError(f"{text!r} is not PORT or PORT:CONTAINERPORT, as in 8080:80")
    return int(pair[0]), int(pair[1])
