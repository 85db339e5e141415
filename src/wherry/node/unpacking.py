"""What makes blobs in containerd a runnable image: snapshots, references for its garbage collection, the CRI's view."""

import asyncio
import hashlib
import itertools
from collections.abc import Sequence

from wherry.node import content_pb2 as pb
from wherry.node import cri_pb2
from wherry.node.content_calls import SNAPSHOTTER, ContentCalls
from wherry.node.rpc import unary
from wherry.node.runtime import RuntimeFailure

GC_REF = "containerd.io/gc.ref."
PIN_LABEL = "io.cri-containerd.pinned"
PINNED = {PIN_LABEL: "pinned", "io.cri-containerd.image": "managed"}
"""The labels of an image record that no garbage collection of images removes."""
_SEEN_SECONDS = 10.0
_LOOK_AGAIN = (0.002, 0.005, 0.01, 0.02, 0.05)


def chain_ids(diff_ids: Sequence[str]) -> tuple[str, ...]:
    """The image specification's chain ids."""
    return tuple(itertools.accumulate(diff_ids, lambda below, diff_id: _sha256(f"{below} {diff_id}")))


def _sha256(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


async def unpack(calls: ContentCalls, layers: Sequence[pb.Descriptor], diff_ids: Sequence[str]) -> None:
    """Make the snapshots that lack, from the topmost one that is there upwards."""
    chains = chain_ids(diff_ids)
    first = len(chains)
    while first and not await calls.has_snapshot(chains[first - 1]):
        first -= 1
    for number in range(first, len(chains)):
        parent = chains[number - 1] if number else ""
        await calls.unpack(layers[number], diff_ids[number], chains[number], parent)


async def hold(
    calls: ContentCalls, manifest: str, config: str, layers: Sequence[pb.Descriptor], chains: Sequence[str]
) -> None:
    """Tell the garbage collection that the manifest needs its blobs, and the config the snapshots."""
    held = {f"{GC_REF}content.l.{number}": layer.digest for number, layer in enumerate(layers)}
    of_blobs = calls.label_blob(manifest, {f"{GC_REF}content.config": config, **held})
    of_snapshots = [calls.label_blob(config, {f"{GC_REF}snapshot.{SNAPSHOTTER}": chains[-1]})] if chains else []
    await asyncio.gather(of_blobs, *of_snapshots)


async def seen(calls: ContentCalls, name: str, config: str) -> None:
    """The CRI learns of image records by events, a moment later; a pod that starts before would pull."""
    request = cri_pb2.ImageStatusRequest(image=cri_pb2.ImageSpec(image=name))
    path, answer = "/runtime.v1.ImageService/ImageStatus", cri_pb2.ImageStatusResponse
    try:
        async with asyncio.timeout(_SEEN_SECONDS):
            for pause in itertools.chain(_LOOK_AGAIN, itertools.repeat(_LOOK_AGAIN[-1])):
                if (await unary(calls.channel, path, request, answer, timeout=_SEEN_SECONDS)).image.id == config:
                    return
                await asyncio.sleep(pause)
    except TimeoutError as error:
        raise RuntimeFailure("DEADLINE_EXCEEDED", f"the CRI does not show {name} after {_SEEN_SECONDS:g} s") from error
