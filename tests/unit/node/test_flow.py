"""Pods on a node, from their binding to their end, with a fake runtime and time that jumps."""

from tests.unit.node.conftest import TestNode, pod


async def test_a_pod_becomes_ready_and_is_deleted(node: TestNode) -> None:
    async with node.running():
        await node.api.create(pod())
        await node.until(node.ready)
        status = node.status()
        assert status["phase"] == "Running"
        assert status["containerStatuses"][0]["restartCount"] == 0
        assert status["podIP"].startswith("10.88.0.")
        await node.api.delete("Pod", "default", "web")
        await node.until(lambda: node.api.pod("web") is None)
        await node.until(lambda: "remove_sandbox" in node.called("remove_sandbox"))
    order = node.called("withdraw", "stop_container", "stop_sandbox", "remove_sandbox")
    assert order == ["withdraw", "stop_container", "stop_sandbox", "remove_sandbox"]
    assert [reason for _, reason, _ in node.events] == ["Pulled", "Created", "Started", "Killing"]
    assert not list(node.settings.pods.iterdir())
