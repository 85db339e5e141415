"""Pods for the end-to-end tests: made, waited for, looked at, all by kubectl."""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import IMAGE, Engine

Obj = dict[str, Any]

WAITS = "trap 'exit 0' TERM; while true; do sleep 0.05; done"


def container(script: str = WAITS, name: str = "app", **more: Any) -> Obj:
    return {"name": name, "image": IMAGE, "command": ["sh", "-c", script], **more}


def pod(name: str, *containers: Obj, **spec: Any) -> Obj:
    body = {"terminationGracePeriodSeconds": 5, "containers": list(containers) or [container()], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"test": name}}, "spec": body}


def config_map(name: str, **data: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def create(engine: Engine, *objects: Obj) -> None:
    engine.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def wait(engine: Engine, name: str, condition: str, seconds: int = 30) -> None:
    engine.kubectl("wait", f"pod/{name}", f"--for={condition}", f"--timeout={seconds}s")


def ready(engine: Engine, *names: str) -> None:
    engine.kubectl("wait", *(f"pod/{name}" for name in names), "--for=condition=Ready", "--timeout=30s")


def ended(engine: Engine, name: str, phase: str = "Succeeded") -> str:
    """What the pod said until its end."""
    wait(engine, name, f"jsonpath={{.status.phase}}={phase}")
    return engine.kubectl("logs", name)


def get(engine: Engine, name: str) -> Obj:
    found: Obj = json.loads(engine.kubectl("get", "pod", name, "-o", "json"))
    return found


def state(engine: Engine, name: str) -> Obj:
    status: Obj = get(engine, name)["status"]["containerStatuses"][0]
    return status


def waits_with(engine: Engine, name: str, reason: str) -> str:
    """The message of a container that waits for this reason."""
    wait(engine, name, f"jsonpath={{.status.containerStatuses[0].state.waiting.reason}}={reason}")
    return str(state(engine, name)["state"]["waiting"].get("message", ""))


@contextlib.contextmanager
def streamed(engine: Engine, *words: str) -> Iterator[Iterator[str]]:
    """The lines that kubectl writes as it goes."""
    env = {**os.environ, "KUBECONFIG": str(engine.root / "st" / "kubeconfig")}
    with subprocess.Popen(["kubectl", *words], stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        try:
            yield iter(process.stdout)
        finally:
            process.kill()


def said(engine: Engine, name: str, reason: str, *, count: int = 1) -> list[str]:
    """Messages of the pod's Events of that reason, once there are so many: they are written a moment later."""
    selector = f"--field-selector=involvedObject.name={name},reason={reason}"
    found: dict[str, Obj] = {}
    text = ""
    with streamed(engine, "get", "events", selector, "--watch", "-o", "json", "--request-timeout=30s") as lines:
        for line in lines:
            text += line
            if line == "}\n":
                event = json.loads(text)
                found[event["metadata"]["name"]] = event
                text = ""
                if sum(one["count"] for one in found.values()) >= count:
                    return [str(one["message"]) for one in found.values()]
    pytest.fail(f"{name} has only these {reason} Events: {found}")


def order(engine: Engine, name: str) -> list[str]:
    listed = json.loads(engine.kubectl("get", "events", f"--field-selector=involvedObject.name={name}", "-o", "json"))
    return [event["reason"] for event in listed["items"]]
