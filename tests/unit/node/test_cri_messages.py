"""The node's values as CRI messages: what would be silently wrong if a field were left out."""

from datetime import UTC, datetime

from wherry.node import cri_pb2 as pb
from wherry.node.cri_messages import (
    MASKED_PATHS,
    USER_IMAGE,
    container_config,
    container_value,
    image_value,
    sandbox_config,
)
from wherry.node.runtime import ContainerSpec, MountSpec, Port, SandboxSpec, Security, State

SANDBOX = SandboxSpec(
    name="web",
    namespace="space",
    uid="uid-1",
    labels={"app": "web"},
    ports=[Port(container_port=53, host_port=5353, protocol="UDP")],
    security=Security(host_network=True, shared_pid=True, seccomp="Localhost/web.json"),
)


def test_a_sandbox_says_whose_it_is_and_what_it_shares() -> None:
    config = sandbox_config(SANDBOX)
    assert dict(config.labels) == {
        "app": "web",
        "io.kubernetes.pod.name": "web",
        "io.kubernetes.pod.namespace": "space",
        "io.kubernetes.pod.uid": "uid-1",
    }
    shared = config.linux.security_context.namespace_options
    assert (shared.network, shared.pid, shared.ipc) == (pb.NODE, pb.POD, pb.POD)
    assert config.port_mappings[0].protocol == pb.UDP
    assert config.linux.security_context.seccomp.localhost_ref == "web.json"


def test_a_container_has_kernel_paths_masked_unless_it_is_privileged_or_says_otherwise() -> None:
    def masked(security: Security) -> tuple[str, ...]:
        spec = ContainerSpec(name="main", image="sha256:1", security=security)
        return tuple(container_config(spec, SANDBOX).linux.security_context.masked_paths)

    assert masked(Security()) == MASKED_PATHS
    assert masked(Security(masked_paths=[])) == ()
    assert masked(Security(privileged=True)) == ()


def test_root_is_a_user_that_can_be_asked_for() -> None:
    for user in (None, 0):
        spec = ContainerSpec(name="main", image="sha256:1", security=Security(run_as_user=user))
        security = container_config(spec, SANDBOX).linux.security_context
        assert security.HasField("run_as_user") == (user is not None)


def test_mounts_are_absolute_and_keep_their_propagation() -> None:
    mounts = [MountSpec(host_path="/a", container_path="data", readonly=True, propagation="HostToContainer")]
    (mount,) = container_config(ContainerSpec(name="main", image="i", mounts=mounts), SANDBOX).mounts
    assert (mount.container_path, mount.readonly) == ("/data", True)
    assert mount.propagation == pb.PROPAGATION_HOST_TO_CONTAINER


def test_a_status_gives_the_image_as_written_and_times_only_where_there_are_any() -> None:
    status = pb.ContainerStatus(
        id="c",
        metadata=pb.ContainerMetadata(name="main", attempt=2),
        state=pb.CONTAINER_RUNNING,
        created_at=1_000_000_000,
        started_at=2_000_000_000,
        annotations={USER_IMAGE: "busybox", "mine": "kept"},
        labels={"io.kubernetes.pod.uid": "uid-1"},
    )
    container = container_value(status, "s")
    assert (container.state, container.attempt, container.image) == (State.RUNNING, 2, "busybox")
    assert (container.started, container.finished) == (datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC), None)
    assert container.annotations == {"mine": "kept"}


def test_a_start_that_was_broken_off_as_nobody_waited_for_it_has_not_been() -> None:
    create = "failed to create containerd task: failed to"
    for message, state in (
        (f"{create} create shim task: context canceled: unknown", State.CREATED),
        (f"{create} start shim: start failed: : signal: killed: unknown", State.CREATED),
        ('exec: "/no/such": no such file', State.EXITED),
    ):
        status = pb.ContainerStatus(
            reason="StartError", message=message, state=pb.CONTAINER_EXITED, exit_code=128, created_at=1, finished_at=2
        )
        assert container_value(status, "sandbox").state is state


def test_an_image_tells_its_user_and_whether_any_of_its_names_is_pinned() -> None:
    numbered = pb.Image(id="sha256:1", repo_tags=["a:1"], uid=pb.Int64Value(value=0))
    assert (image_value(numbered).user, image_value(numbered).pinned) == ("0", False)
    assert image_value(numbered, frozenset({"a:1"})).pinned
    assert image_value(pb.Image(id="sha256:2", username="web")).user == "web"
