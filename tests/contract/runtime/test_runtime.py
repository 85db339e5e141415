"""What node/runtime.py promises, of the fake and of containerd."""

import asyncio
import contextlib
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.runtime.conftest import (
    CGROUP,
    EATS_MEMORY,
    FAILS_WITH_WORDS,
    IGNORES_TERM,
    SAYS_AND_ENDS,
    SLEEPS,
    WAITS,
    World,
    soon,
    until,
)
from tests.support.images import BUSYBOX
from tests.support.runtime import FakeRuntime
from wherry.apiserver.ports import LogOptions
from wherry.node.access import NodeAccess
from wherry.node.cgroups import remove_cgroups
from wherry.node.containerd import Containerd, remove_pod
from wherry.node.containerd_process import ContainerdProcess
from wherry.node.cri import CriRuntime
from wherry.node.runtime import IMAGES, Resources, RuntimeFailure, Security, State
from wherry.process import run


async def test_a_sandbox_has_an_address_and_is_found_by_its_uid(world: World) -> None:
    sandbox_id = await world.runtime.run_sandbox(world.sandbox())
    (listed,) = await world.runtime.sandboxes()
    assert (listed.id, listed.uid, listed.name, listed.namespace, listed.ready) == (
        sandbox_id,
        "uid-1",
        "pod",
        "space",
        True,
    )
    assert listed.ip.count(".") == 3
    assert listed == await world.runtime.sandbox(sandbox_id)
    await world.runtime.stop_sandbox(sandbox_id)
    (stopped,) = await world.runtime.sandboxes()
    assert not stopped.ready
    await world.runtime.remove_sandbox(sandbox_id)
    assert not await world.runtime.sandboxes()


async def test_a_sandbox_on_the_hosts_network_has_no_address(world: World) -> None:
    spec = replace(world.sandbox(), security=Security(host_network=True))
    sandbox = await world.runtime.sandbox(await world.runtime.run_sandbox(spec))
    assert (sandbox.ready, sandbox.ip) == (True, "")


async def test_running_the_same_sandbox_again_finds_the_first(world: World) -> None:
    first = await world.runtime.run_sandbox(world.sandbox())
    assert await world.runtime.run_sandbox(world.sandbox()) == first


async def test_a_container_that_was_never_started_is_created_anew(world: World) -> None:
    sandbox = world.sandbox()
    sandbox_id = await world.runtime.run_sandbox(sandbox)
    first = await world.runtime.create_container(sandbox_id, world.container(SLEEPS), sandbox)
    assert (await world.only()).state is State.CREATED
    second = await world.runtime.create_container(sandbox_id, world.container(SLEEPS), sandbox)
    assert second != first
    await world.runtime.start_container(second)
    with pytest.raises(RuntimeFailure) as taken:
        await world.runtime.create_container(sandbox_id, world.container(SLEEPS), sandbox)
    assert taken.value.code == "ALREADY_EXISTS"


async def test_a_container_runs_to_its_exit_code_and_tells_of_it(world: World) -> None:
    events = world.runtime.events()
    assert (await anext(events)).uid == ""
    container_id = await world.start(SAYS_AND_ENDS)
    await until(events, "start", "exit")
    container = await world.only()
    assert (container.id, container.state, container.exit_code, container.reason) == (
        container_id,
        State.EXITED,
        3,
        "Error",
    )
    assert container.started is not None
    assert container.finished is not None
    # containerd stamps the start when its call returns: a process that ends at once can have ended before that
    assert container.created <= container.started
    assert container.created <= container.finished
    assert (container.name, container.pod_uid, container.image, container.attempt) == ("main", "uid-1", "busybox", 0)
    assert container.sandbox_id == (await world.runtime.sandboxes())[0].id
    await events.aclose()


async def test_images_that_go_are_told_of(world: World) -> None:
    events = world.runtime.events()
    await anext(events)
    await world.runtime.remove_image(BUSYBOX)
    await until(events, IMAGES, uid=IMAGES)
    await events.aclose()


async def test_a_container_writes_its_log_in_the_cri_format(world: World) -> None:
    events = world.runtime.events()
    await anext(events)
    await world.start(SAYS_AND_ENDS)
    await until(events, "exit")
    await events.aclose()
    (line,) = (await world.log()).splitlines()
    moment, stream, tag, text = line.split(" ", 3)
    assert (stream, tag, text) == ("stdout", "F", "out")
    assert "T" in moment


async def test_exec_gives_output_and_exit_code(world: World) -> None:
    container_id = await world.start(SLEEPS)
    result = await world.runtime.exec(container_id, FAILS_WITH_WORDS, 10)
    assert (result.code, result.stdout, result.stderr) == (4, b"yes\n", b"")


async def test_exec_ends_at_its_timeout(world: World) -> None:
    container_id = await world.start(SLEEPS)
    began = time.monotonic()
    with pytest.raises(RuntimeFailure) as late:
        await world.runtime.exec(container_id, SLEEPS, 0.3)
    assert late.value.code == "DEADLINE_EXCEEDED"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("command", "grace", "code"), [(WAITS, 10, 7), (IGNORES_TERM, 1, 137), (WAITS, 0, 137)])
async def test_stop_sends_the_signal_then_kills_after_the_grace(
    world: World, command: tuple[str, ...], grace: float, code: int
) -> None:
    container_id = await world.start(command)

    async def trap_is_set() -> bool:
        return "ready" in await world.log()

    await soon(trap_is_set)
    await world.runtime.stop_container(container_id, grace)
    container = await world.only()
    assert (container.state, container.exit_code) == (State.EXITED, code)


async def test_a_container_over_its_memory_limit_is_oom_killed(world: World) -> None:
    events = world.runtime.events()
    await anext(events)
    await world.start(EATS_MEMORY, memory=16 << 20)
    await until(events, "oom", "exit")
    await events.aclose()
    container = await world.only()
    assert (container.reason, container.exit_code) == ("OOMKilled", 137)


async def test_what_is_removed_is_gone_and_removing_it_again_is_no_error(world: World) -> None:
    container_id = await world.start(SLEEPS)
    sandbox_id = (await world.only()).sandbox_id
    for _ in range(2):
        await world.runtime.stop_container(container_id, 0)
        await world.runtime.remove_container(container_id)
        await world.runtime.stop_sandbox(sandbox_id)
        await world.runtime.remove_sandbox(sandbox_id)
    assert not await world.runtime.containers()
    assert not await world.runtime.sandboxes()
    with pytest.raises(RuntimeFailure) as gone:
        await world.runtime.start_container(container_id)
    assert gone.value.code == "NOT_FOUND"


async def test_a_removed_sandbox_need_not_be_stopped_before_and_gives_its_address_back(world: World) -> None:
    container_id = await world.start(SLEEPS)
    await world.runtime.stop_container(container_id, 0)
    (sandbox,) = await world.runtime.sandboxes()
    assert sandbox.ready
    assert world.containerd is None or [path.name for path in world.directory.glob("ipam/*/10.*")] == [sandbox.ip]
    await world.runtime.remove_sandbox(sandbox.id)
    assert not await world.runtime.containers()
    assert not await world.runtime.sandboxes()
    assert not list(world.directory.glob("ipam/*/10.*"))


async def test_a_missing_image_is_none_and_cannot_be_run(world: World) -> None:
    assert await world.runtime.image("wherry.test/none:1") is None
    sandbox = world.sandbox()
    sandbox_id = await world.runtime.run_sandbox(sandbox)
    world.image = "sha256:" + "0" * 64
    with pytest.raises(RuntimeFailure) as missing:
        await world.runtime.create_container(sandbox_id, world.container(SLEEPS), sandbox)
    assert missing.value.code == "NOT_FOUND"


async def test_a_reopened_log_is_a_new_file(world: World) -> None:
    container_id = await world.start(WAITS)
    log = Path((await world.only()).log_path)

    async def has_log() -> bool:
        return "ready" in await world.log()

    await soon(has_log)
    rotated = await asyncio.to_thread(log.rename, log.with_suffix(".log.1"))
    await world.runtime.reopen_log(container_id)
    assert await world.log() == ""
    assert "ready" in await asyncio.to_thread(rotated.read_text)


async def test_a_runtime_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    async with CriRuntime(str(tmp_path / "none.sock")) as runtime:
        with pytest.raises(RuntimeFailure) as failed:
            await runtime.version()
    assert failed.value.code == "UNAVAILABLE"


@pytest.mark.root
async def test_a_followed_log_goes_on_across_rotation_and_ends_with_the_container(real: World) -> None:
    container_id = await real.start(
        ("sh", "-c", "trap 'echo bye; exit 0' TERM; echo hi; while true; do sleep 0.01; done")
    )
    pod = {"metadata": {"name": "pod", "uid": "uid-1"}, "spec": {"containers": [{"name": "main"}]}}
    chunks = NodeAccess(real.runtime).logs(pod, LogOptions("main", follow=True))
    async with asyncio.timeout(20):
        assert await anext(chunks) == b"hi\n"
        log = Path((await real.only()).log_path)
        await asyncio.to_thread(log.rename, log.with_suffix(".log.1"))
        await real.runtime.reopen_log(container_id)
        await real.runtime.stop_container(container_id, 10)
        assert [chunk async for chunk in chunks] == [b"bye\n"]


@pytest.mark.root
async def test_a_sandbox_that_dies_tells_of_it(real: World) -> None:
    assert real.containerd is not None
    events = real.runtime.events()
    await anext(events)
    sandbox_id = await real.runtime.run_sandbox(real.sandbox())
    await run("ctr", "--address", real.containerd.socket, "-n", "k8s.io", "task", "kill", "-s", "KILL", sandbox_id)
    await until(events, "exit")
    assert not (await real.runtime.sandbox(sandbox_id)).ready
    await events.aclose()


@pytest.mark.root
async def test_a_security_context_and_resources_reach_the_process(real: World) -> None:
    sandbox = real.sandbox()
    sandbox_id = await real.runtime.run_sandbox(sandbox)
    security = Security(
        run_as_user=1234, run_as_group=5678, no_new_privs=True, readonly_rootfs=True, drop_capabilities=["ALL"]
    )
    spec = replace(real.container(SLEEPS, memory=32 << 20), security=security)
    container_id = await real.runtime.create_container(sandbox_id, spec, sandbox)
    await real.runtime.start_container(container_id)

    async def shell(line: str) -> str:
        done = await real.runtime.exec(container_id, ["sh", "-c", line], 10)
        return (done.stdout + done.stderr).decode()

    assert await shell("id -u; id -g") == "1234\n5678\n"
    status = dict(line.split(":\t", 1) for line in (await shell("cat /proc/self/status")).splitlines())
    assert (status["NoNewPrivs"], status["Seccomp"], status["CapBnd"]) == ("1", "2", "0" * 16)
    assert "Read-only file system" in await shell("echo > /file")
    assert await shell("cat /proc/interrupts") == ""
    limit = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>&- | head -n 1"
    assert await shell(limit) == f"{32 << 20}\n"
    await real.runtime.update_resources(container_id, Resources(memory_limit=64 << 20))
    assert await shell(limit) == f"{64 << 20}\n"


@pytest.mark.root
async def test_containers_live_on_when_containerd_is_killed(real: World) -> None:
    assert real.containerd is not None
    events = real.runtime.events()
    await anext(events)
    container_id = await real.start(WAITS)
    process = real.containerd.process()
    assert process is not None
    ended = asyncio.create_task(real.containerd.wait())
    os.kill(process.pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        await ended
    await real.containerd.start()
    await until(events, "connected", uid="")
    container = await real.only()
    assert (container.id, container.state) == (container_id, State.RUNNING)
    await real.runtime.stop_container(container_id, 10)
    await until(events, "exit")
    assert (await real.only()).exit_code == 7
    await events.aclose()


@pytest.mark.root
async def test_imported_images_are_pinned_and_used_memory_is_told(real: World) -> None:
    assert all(image.pinned for image in await real.runtime.images())
    container_id = await real.start(WAITS)

    async def has_usage() -> bool:
        return bool(await real.runtime.usage())

    await soon(has_usage)
    usage = await real.runtime.usage()
    assert (usage[0].container_id, usage[0].pod_uid, usage[0].name) == (container_id, "uid-1", "main")
    assert usage[0].memory_bytes > 0


@pytest.mark.root
async def test_a_running_containerd_is_adopted_and_another_config_restarts_it(real: World) -> None:
    assert real.containerd is not None
    first = real.containerd.process()
    container_id = await real.start(SLEEPS)
    again = Containerd(ContainerdProcess(real.containerd.root, real.containerd.state, real.directory / "cni"))
    await again.start()
    assert again.process() == first
    changed = Containerd(
        ContainerdProcess(
            real.containerd.root,
            real.containerd.state,
            real.directory / "cni",
            registry_config=real.directory / "certs.d",
        )
    )
    await changed.start()
    assert changed.process() not in (None, first)
    container = await real.only()
    assert (container.id, container.state) == (container_id, State.RUNNING)


@pytest.mark.root
async def test_a_containerd_whose_pidfile_is_gone_does_not_keep_the_next_from_its_data(real: World) -> None:
    assert real.containerd is not None
    container_id = await real.start(SLEEPS)
    forgotten = real.containerd.process()
    assert forgotten is not None
    (real.containerd.state / "containerd.pid").unlink()
    assert real.containerd.process() is None
    await real.containerd.start()
    assert real.containerd.process() not in (None, forgotten)
    assert not forgotten.alive()
    container = await real.only()
    assert (container.id, container.state) == (container_id, State.RUNNING)


async def test_a_pod_is_removed_though_a_container_of_it_is_just_being_started(fake: World) -> None:
    assert isinstance(fake.runtime, FakeRuntime)
    await fake.start(SLEEPS)
    (sandbox,) = await fake.runtime.sandboxes()
    fake.runtime.fail("remove_sandbox", "UNKNOWN", "container is in starting state, can't be removed", times=2)
    await remove_pod(fake.runtime, sandbox.id)
    assert await fake.runtime.sandboxes() == []


@pytest.mark.root
async def test_a_removal_ends_the_shims_that_containerd_has_forgotten(real: World) -> None:
    """As one does that is killed while it deletes a sandbox."""
    assert real.containerd is not None
    await real.start(SLEEPS)
    await real.containerd.stop()
    for bundle in (real.containerd.state / "io.containerd.runtime.v2.task" / "k8s.io").iterdir():
        await run("umount", str(bundle / "rootfs"))
        shutil.rmtree(bundle)
    before = await asyncio.to_thread(_processes, real.containerd.socket)
    assert before
    await real.containerd.remove()
    assert await asyncio.to_thread(_processes, real.containerd.socket) == []
    remove_cgroups(CGROUP)  # of containers that nobody has deleted; a node's reset does the same


def _processes(word: str) -> list[str]:
    """The command lines that have the word in them."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (place / "cmdline").read_text().split("\0")
            found += [" ".join(words)] if word in words else []
    return found
