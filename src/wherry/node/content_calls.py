"""containerd's content, snapshots and image records by gRPC, in the CRI's namespace, under a lease.

Whatever is written here is safe from containerd's garbage collection until the lease ends; by then an image record must
hold it.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import grpc
import grpc.aio
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from wherry.node import content_pb2 as pb
from wherry.node.rpc import Reply, failure, open_channel, unary
from wherry.node.runtime import RuntimeFailure

SNAPSHOTTER = "overlayfs"  # the CRI's own default
_NAMESPACE = ("containerd-namespace", "k8s.io")
_LEASE_LIFE = timedelta(hours=1)  # a killed import leaves nothing for longer
_CALL_SECONDS = 60.0
_UNPACK_SECONDS = 1800.0
_CHUNK = 1 << 20


class ContentCalls:
    """One import's conversation with containerd; `async with` holds its lease."""

    def __init__(self, socket: str) -> None:
        self.channel = open_channel(socket)
        self._id = f"wherry-{uuid.uuid4().hex}"
        self._leased = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            if self._leased:
                await self._call("leases.v1.Leases/Delete", pb.DeleteLeaseRequest(id=self._id), Empty)
        finally:
            await self.channel.close(None)

    async def lease(self, life: timedelta = _LEASE_LIFE) -> None:
        """From here on keep what is written. A second lease takes the place of the first, which ends by itself."""
        lease = f"wherry-{uuid.uuid4().hex}"
        until = (datetime.now(UTC) + life).strftime("%Y-%m-%dT%H:%M:%SZ")
        request = pb.CreateLeaseRequest(id=lease, labels={"containerd.io/gc.expire": until})
        await self._call("leases.v1.Leases/Create", request, pb.CreateLeaseResponse)
        self._id, self._leased = lease, True

    async def has_blob(self, digest: str) -> bool:
        request = pb.BlobInfoRequest(digest=digest)
        return await self._found("content.v1.Content/Info", request, pb.BlobInfoResponse) is not None

    async def write_blob(self, path: Path, digest: str, size: int) -> None:
        """containerd itself verifies digest and size."""
        call = self.channel.stream_stream(
            "/containerd.services.content.v1.Content/Write",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=pb.WriteResponse.FromString,
        )(self._chunks(path, digest, size), metadata=self._metadata(), timeout=_UNPACK_SECONDS)
        try:
            async for _ in call:
                pass
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise failure(error) from error

    async def blob_size(self, digest: str) -> int | None:
        found = await self._found("content.v1.Content/Info", pb.BlobInfoRequest(digest=digest), pb.BlobInfoResponse)
        return found.info.size if found else None

    async def held_size(self, digest: str) -> int | None:
        """The blob's size if it is there; this lease keeps it from now on."""
        resource = pb.LeasedResource(id=digest, type="content")
        await self._call("leases.v1.Leases/AddResource", pb.AddResourceRequest(id=self._id, resource=resource), Empty)
        return await self.blob_size(digest)

    async def read_blob(self, digest: str, offset: int, size: int) -> AsyncIterator[bytes]:
        """`size` bytes from `offset` on. Raises RuntimeFailure."""
        call = self.channel.unary_stream(
            "/containerd.services.content.v1.Content/Read",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=pb.ReadResponse.FromString,
        )(pb.ReadRequest(digest=digest, offset=offset, size=size), metadata=self._metadata(), timeout=_UNPACK_SECONDS)
        try:
            async for part in call:
                yield part.data
        except grpc.aio.AioRpcError as error:
            raise failure(error) from error
        finally:
            call.cancel()

    def writing(self, ref: str) -> "BlobWriting":
        """A blob of which neither size nor digest need be known yet."""
        begin: Any = self.channel.stream_stream(
            "/containerd.services.content.v1.Content/Write",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=pb.WriteResponse.FromString,
        )  # its type knows only calls that are given all requests at once
        return BlobWriting(begin(metadata=self._metadata()), ref)

    async def writes(self) -> list[str]:
        """The names of the writes that have been begun and have not ended."""
        found = await self._call("content.v1.Content/ListStatuses", pb.ListWritesRequest(), pb.ListWritesResponse)
        return [each.ref for each in found.statuses]

    async def abort(self, ref: str) -> None:
        await self._found("content.v1.Content/Abort", pb.AbortRequest(ref=ref), Empty)

    async def label_blob(self, digest: str, labels: Mapping[str, str]) -> None:
        request = pb.UpdateBlobRequest(info=pb.BlobInfo(digest=digest, labels=labels))
        request.update_mask.paths.extend(f"labels.{name}" for name in labels)
        await self._call("content.v1.Content/Update", request, pb.BlobInfoResponse)

    async def has_snapshot(self, name: str) -> bool:
        request = pb.SnapshotRequest(snapshotter=SNAPSHOTTER, key=name)
        return await self._found("snapshots.v1.Snapshots/Stat", request, pb.StatSnapshotResponse) is not None

    async def unpack(self, layer: pb.Descriptor, diff_id: str, name: str, parent: str) -> None:
        """Make the snapshot `name` of `parent` and a layer whose digest is `diff_id` before compression."""
        key = f"{self._id}-{name[-12:]}"
        prepare = pb.PrepareSnapshotRequest(snapshotter=SNAPSHOTTER, key=key, parent=parent)
        mounts = (await self._call("snapshots.v1.Snapshots/Prepare", prepare, pb.PrepareSnapshotResponse)).mounts
        apply = pb.ApplyRequest(diff=layer, mounts=mounts)
        applied = (await self._call("diff.v1.Diff/Apply", apply, pb.ApplyResponse, _UNPACK_SECONDS)).applied
        if applied.digest != diff_id:  # under this name other images would take it for theirs
            message = f"layer {layer.digest} is {applied.digest} when it is unpacked, and the config says {diff_id}"
            raise RuntimeFailure("INVALID_ARGUMENT", message)
        commit = pb.CommitSnapshotRequest(snapshotter=SNAPSHOTTER, name=name, key=key)
        try:
            await self._call("snapshots.v1.Snapshots/Commit", commit, Empty)
        except RuntimeFailure as error:
            if error.code != "ALREADY_EXISTS":
                raise
            # Another import was quicker. containerd's garbage collection would come for ours, but not soon.
            ours = pb.SnapshotRequest(snapshotter=SNAPSHOTTER, key=key)
            await self._call("snapshots.v1.Snapshots/Remove", ours, Empty)

    async def image(self, name: str) -> pb.NamedImage | None:
        found = await self._found("images.v1.Images/Get", pb.GetImageRequest(name=name), pb.ImageResponse)
        return found.image if found else None

    async def images(self) -> list[pb.NamedImage]:
        """All records."""
        return list((await self._call("images.v1.Images/List", pb.ListImagesRequest(), pb.ListImagesResponse)).images)

    async def remove_image(self, name: str) -> None:
        """Of its blobs and snapshots the garbage collection removes what nothing else needs."""
        await self._found("images.v1.Images/Delete", pb.DeleteImageRequest(name=name), Empty)

    async def collect(self) -> None:
        """Run containerd's garbage collection, and wait for its end; this lease ends by it."""
        await self._call("leases.v1.Leases/Delete", pb.DeleteLeaseRequest(id=self._id, sync=True), Empty)
        self._leased = False

    async def put_image(self, image: pb.NamedImage) -> None:
        """A new record, or another content for the one that is there."""
        request = pb.ImageRequest(image=image)
        try:
            await self._call("images.v1.Images/Create", request, pb.ImageResponse)
        except RuntimeFailure as error:
            if error.code != "ALREADY_EXISTS":
                raise
            await self._call("images.v1.Images/Update", request, pb.ImageResponse)

    async def _chunks(self, path: Path, digest: str, size: int) -> AsyncIterator[pb.WriteRequest]:
        ref, offset = f"{self._id}-{digest}", 0
        with path.open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                yield pb.WriteRequest(action=pb.WRITE, ref=ref, total=size, expected=digest, offset=offset, data=chunk)
                offset += len(chunk)
        yield pb.WriteRequest(action=pb.COMMIT, ref=ref, total=size, expected=digest, offset=offset)

    async def _found(self, path: str, request: Message, reply: type[Reply]) -> Reply | None:
        try:
            return await self._call(path, request, reply)
        except RuntimeFailure as error:
            if error.code != "NOT_FOUND":
                raise
            return None

    async def _call(self, path: str, request: Message, reply: type[Reply], timeout: float = _CALL_SECONDS) -> Reply:
        full = f"/containerd.services.{path}"
        return await unary(self.channel, full, request, reply, timeout=timeout, metadata=self._metadata())

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (_NAMESPACE, ("containerd-lease", self._id)) if self._leased else (_NAMESPACE,)


class BlobWriting:
    """One blob on its way into containerd, in as many pieces as its sender likes; `abort` or `commit` ends it."""

    def __init__(self, call: Any, ref: str) -> None:
        self._call = call
        self.ref = ref
        self.offset = 0

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), _CHUNK):
            piece = data[start : start + _CHUNK]
            await self._say(pb.WriteRequest(action=pb.WRITE, ref=self.ref, offset=self.offset, data=piece))
            self.offset += len(piece)

    async def commit(self, digest: str) -> None:
        """The blob is there from now on. Raises RuntimeFailure: FAILED_PRECONDITION if its digest is another."""
        request = pb.WriteRequest(
            action=pb.COMMIT, ref=self.ref, total=self.offset, expected=digest, offset=self.offset
        )
        try:
            await self._say(request)
        except RuntimeFailure as error:
            if error.code != "ALREADY_EXISTS":
                raise
        self._call.cancel()

    async def end(self) -> None:
        """Close the conversation and wait until containerd has left the blob; what came stays until it is aborted.

        An abort while containerd still notes how far the blob came fails, as its directory is then not empty.
        """
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                await self._call.done_writing()
                while isinstance(await self._call.read(), pb.WriteResponse):
                    pass
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, TimeoutError):
            pass  # it had ended before, or containerd does not answer: the abort will tell
        finally:
            self._call.cancel()

    async def _say(self, request: pb.WriteRequest) -> None:
        try:
            await self._call.write(request)
            answer = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise failure(error) from error
        except asyncio.InvalidStateError as error:  # the conversation had ended before
            raise RuntimeFailure("UNAVAILABLE", "the write had ended already") from error
        if not isinstance(answer, pb.WriteResponse):
            raise RuntimeFailure("UNAVAILABLE", "containerd ended the write")
