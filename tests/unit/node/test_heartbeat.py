"""The Node object: registered again without a flip, and NotReady while its runtime is down."""

from dataclasses import replace

from tests.unit.node.conftest import TestNode
from wherry.node.heartbeat import Heartbeat
from wherry.objects import Obj
from wherry.objects.conditions import condition_of


def heartbeat(node: TestNode) -> Heartbeat:
    return Heartbeat(node.api, node.runtime, node.clock, node.settings)


def ready(node: TestNode) -> Obj:
    found = node.api.mirror.get("Node", "", "node")
    assert found is not None
    condition = condition_of(found, "Ready")
    assert condition is not None
    return condition


async def test_a_node_that_registers_again_has_been_ready_since_the_first_time(node: TestNode) -> None:
    await heartbeat(node).register()
    since = ready(node)["lastTransitionTime"]
    await node.clock.sleep(60)
    await heartbeat(node).register()
    assert ready(node)["lastTransitionTime"] == since
    assert ready(node)["lastHeartbeatTime"] > since


async def test_the_ready_condition_tells_of_the_runtime(node: TestNode) -> None:
    beat = heartbeat(node)
    await beat.register()
    since = ready(node)["lastTransitionTime"]
    await node.clock.sleep(60)
    await beat.runtime_is("container runtime is down")
    told = ready(node)
    assert (told["status"], told["reason"], told["message"]) == (
        "False",
        "KubeletNotReady",
        "container runtime is down",
    )
    assert told["lastTransitionTime"] > since
    await beat.runtime_is("")
    assert (ready(node)["status"], ready(node)["reason"]) == ("True", "KubeletReady")


async def test_a_runtime_that_is_as_it_was_is_not_written(node: TestNode) -> None:
    beat = heartbeat(node)
    await beat.register()
    writes = len(node.api.writes)
    await beat.runtime_is("")
    assert len(node.api.writes) == writes


async def test_capacity_is_what_the_settings_say(node: TestNode) -> None:
    await heartbeat(node).register()
    found = node.api.mirror.get("Node", "", "node")
    assert found is not None
    capacity = found["status"]["capacity"]
    assert (capacity["cpu"], capacity["memory"], capacity["pods"]) == ("4", f"{8 << 20}Ki", "250")


async def test_what_pods_can_have_is_less_than_what_there_is(node: TestNode) -> None:
    node.settings = replace(node.settings, ephemeral_bytes=1000 << 10)
    await heartbeat(node).register()
    found = node.api.mirror.get("Node", "", "node")
    assert found is not None
    status = found["status"]
    assert status["capacity"]["ephemeral-storage"] == "1000Ki"
    assert status["allocatable"] == {
        "cpu": "4",
        "ephemeral-storage": str(900 << 10),  # the tenth that eviction keeps free
        "memory": f"{(8 << 20) - (100 << 10)}Ki",  # likewise 100Mi
        "pods": "250",
    }


async def test_a_node_has_no_port_of_a_kubelet_and_the_labels_of_old(node: TestNode) -> None:
    await heartbeat(node).register()
    found = node.api.mirror.get("Node", "", "node")
    assert found is not None
    assert found["status"]["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 0}}
    labels = found["metadata"]["labels"]
    assert labels["beta.kubernetes.io/os"] == labels["kubernetes.io/os"] == "linux"
    assert labels["beta.kubernetes.io/arch"] == labels["kubernetes.io/arch"]
