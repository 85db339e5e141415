"""The images in the Node's status: what is there, the largest first, and no write while it stays."""

import asyncio

from tests.support.clock import until
from tests.unit.node.conftest import TestNode
from wherry.node.heartbeat import Heartbeat
from wherry.node.image_list import MOST, ImageList, listed
from wherry.node.runtime import Image


def image(name: str, size: int) -> Image:
    return Image(id=f"sha256:{name}", tags=[f"{name}:1"], digests=[f"{name}@sha256:{name}"], size=size)


def names(node: TestNode) -> list[str]:
    found = node.api.mirror.get("Node", "", "node")
    assert found is not None
    return sorted(name for one in found["status"].get("images", ()) for name in one["names"] if "@" not in name)


def test_the_largest_come_first_and_no_more_than_fit() -> None:
    assert listed([image("small", 1), image("large", 2)]) == [
        {"names": ["large@sha256:large", "large:1"], "sizeBytes": 2},
        {"names": ["small@sha256:small", "small:1"], "sizeBytes": 1},
    ]
    found = listed([image(f"i{size}", size) for size in range(MOST + 9)])
    assert [one["sizeBytes"] for one in found] == list(range(MOST + 8, 8, -1))


async def test_images_are_told_as_they_come_and_go(node: TestNode) -> None:
    await Heartbeat(node.api, node.runtime, node.clock, node.settings).register()
    told = ImageList(node.api, node.runtime, node.clock, "node")
    running = asyncio.create_task(told.run())
    told.changed()
    await until(node.clock, lambda: names(node) == ["app:1"])
    node.runtime.add_image("web:2")
    told.changed()
    await until(node.clock, lambda: names(node) == ["app:1", "web:2"])
    await node.runtime.remove_image("app:1")
    told.changed()
    await until(node.clock, lambda: names(node) == ["web:2"])
    running.cancel()


async def test_images_that_stay_are_not_written_again(node: TestNode) -> None:
    await Heartbeat(node.api, node.runtime, node.clock, node.settings).register()
    told = ImageList(node.api, node.runtime, node.clock, "node")
    await told.tell()
    writes = len(node.api.writes)
    await told.tell()
    assert len(node.api.writes) == writes


async def test_a_node_that_registers_again_keeps_its_images(node: TestNode) -> None:
    beat = Heartbeat(node.api, node.runtime, node.clock, node.settings)
    await beat.register()
    await ImageList(node.api, node.runtime, node.clock, "node").tell()
    await beat.register()
    assert names(node) == ["app:1"]
