"""Filters that are given to crun again are the ones it would have made, and only for containers they were made for."""

import json
import shutil
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.runtime.conftest import SLEEPS, World
from wherry.node.oci_runtime import SECCOMP_FILTER
from wherry.node.runtime import Security

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not shutil.which("crun"), reason="only crun takes compiled filters"),
]

ALLOW_ALL = b64encode(bytes.fromhex("06000000 0000ff7f")).decode()


async def started(world: World, uid: str, security: Security, annotations: dict[str, str]) -> tuple[str, str]:
    """A pod with one container; the ids of its sandbox and of that."""
    sandbox = replace(world.sandbox(uid), security=Security(privileged=security.privileged), annotations=annotations)
    sandbox_id = await world.runtime.run_sandbox(sandbox)
    (world.directory / "logs" / uid / "main").mkdir(parents=True)
    spec = replace(world.container(SLEEPS), security=security, annotations=annotations)
    container_id = await world.runtime.create_container(sandbox_id, spec, sandbox)
    await world.runtime.start_container(container_id)
    return sandbox_id, container_id


def state(world: World) -> Path:
    assert world.containerd is not None
    return world.containerd.state


def loaded(world: World, container_id: str) -> bytes:
    """What crun has loaded, and gives to each exec."""
    return (state(world) / "crun" / "k8s.io" / container_id / "seccomp.bpf").read_bytes()


def given(world: World, container_id: str) -> str | None:
    bundle = state(world) / "io.containerd.runtime.v2.task" / "k8s.io" / container_id
    filter_given: str | None = json.loads((bundle / "config.json").read_text())["annotations"].get(SECCOMP_FILTER)
    return filter_given


async def mode(world: World, container_id: str) -> str:
    """Of the first process, as the kernel tells: 2 is a filter, 0 none."""
    found = await world.runtime.exec(container_id, ("busybox", "grep", "-w", "Seccomp:", "/proc/1/status"), 10)
    return found.stdout.split()[1].decode()


async def test_the_next_container_gets_what_was_compiled_for_the_first(real: World) -> None:
    first = await started(real, "uid-1", Security(), {})
    second = await started(real, "uid-2", Security(), {})
    assert [given(real, each) for each in first] == [None, None]
    assert [given(real, each) for each in second] == [b64encode(loaded(real, each)).decode() for each in first]
    assert [loaded(real, each) for each in second] == [loaded(real, each) for each in first]
    assert [await mode(real, ids[1]) for ids in (first, second)] == ["2", "2"]


async def test_other_rights_are_another_filter_or_none(real: World) -> None:
    _, plain = await started(real, "uid-1", Security(), {})
    _, more = await started(real, "uid-2", Security(add_capabilities=("SYS_ADMIN",)), {})
    assert given(real, more) is None
    assert loaded(real, more) != loaded(real, plain)
    _, again = await started(real, "uid-3", Security(add_capabilities=("SYS_ADMIN",)), {})
    assert loaded(real, again) == loaded(real, more)
    for uid, security in (("uid-4", Security(seccomp="Unconfined")), ("uid-5", Security(privileged=True))):
        _, free = await started(real, uid, security, {})
        assert (given(real, free), await mode(real, free)) == (None, "0")


async def test_a_pods_author_cannot_choose_it(real: World) -> None:
    for uid in ("uid-1", "uid-2"):
        for each in await started(real, uid, Security(), {SECCOMP_FILTER: ALLOW_ALL}):
            assert given(real, each) != ALLOW_ALL
            assert len(loaded(real, each)) > 1000
    assert all(SECCOMP_FILTER not in each.annotations for each in await real.runtime.containers())
    assert all(SECCOMP_FILTER not in each.annotations for each in await real.runtime.sandboxes())
