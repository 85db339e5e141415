"""Blobs on their way in: at most so many, none for longer than an idle hour, nothing of them served before the end."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web

from wherry.clock import Clock
from wherry.images.registry.server.content import Content, Incoming
from wherry.images.registry.server.errors import Refused

MOST_UPLOADS = 100
MOST_BODIES = 32  # of them with bytes coming in right now: each takes up to a MiB of memory
LARGEST_BLOB = 64 << 30
IDLE_SECONDS = 3600.0
_BODY_SECONDS = 60.0  # without a byte
_PIECE = 1 << 20


@dataclass
class Upload:
    """One upload of one repository."""

    id: str
    repository: str
    incoming: Incoming
    touched: float
    busy: bool = False

    @property
    def location(self) -> str:
        return f"/v2/{self.repository}/blobs/uploads/{self.id}"

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Location": self.location,
            "Range": f"0-{max(self.incoming.offset - 1, 0)}",
            "Docker-Upload-UUID": self.id,
        }


@dataclass
class Uploads:
    """All that are under way."""

    content: Content
    clock: Clock
    _all: dict[str, Upload] = field(default_factory=dict)

    async def begin(self, repository: str) -> Upload:
        for idle in [each for each in self._all.values() if self._idle(each)]:
            await self.drop(idle)
        if len(self._all) >= MOST_UPLOADS:
            raise _busy(f"{MOST_UPLOADS} uploads are under way")
        upload = Upload(secrets.token_hex(16), repository, _Unopened(self.content), self.clock.monotonic())
        self._all[upload.id] = upload
        return upload

    def find(self, repository: str, upload_id: str) -> Upload:
        upload = self._all.get(upload_id)
        if upload is None or upload.repository != repository:
            raise Refused("BLOB_UPLOAD_UNKNOWN", "there is no such upload: begin it anew")
        return upload

    @contextmanager
    def taken(self, upload: Upload) -> Iterator[None]:
        """One request at a time."""
        if upload.busy:
            raise Refused("BLOB_UPLOAD_INVALID", "another request sends to this upload", status=409)
        if sum(each.busy for each in self._all.values()) >= MOST_BODIES:
            raise _busy(f"{MOST_BODIES} uploads are sending")
        upload.busy = True
        try:
            yield
        except Refused:
            raise
        except BaseException:  # the store let go of it
            self._all.pop(upload.id, None)
            raise
        finally:
            upload.busy, upload.touched = False, self.clock.monotonic()

    async def drop(self, upload: Upload) -> None:
        """Nothing of it stays, unless it is finished."""
        if self._all.pop(upload.id, None):
            await upload.incoming.abort()

    async def finish(self, upload: Upload, digest: str) -> None:
        """Raises Refused where the bytes are not the digest's; the upload is gone in either case."""
        self._all.pop(upload.id, None)
        if not await upload.incoming.commit(digest):
            raise Refused("DIGEST_INVALID", f"the {upload.incoming.offset} bytes that came are not {digest}")

    async def close(self) -> None:
        for upload in list(self._all.values()):
            await self.drop(upload)

    def _idle(self, upload: Upload) -> bool:
        return not upload.busy and self.clock.monotonic() - upload.touched > IDLE_SECONDS


class _Unopened:
    """Opened in the store with the first byte: clients begin many uploads that a mount or a cancel makes needless."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._incoming: Incoming | None = None

    @property
    def offset(self) -> int:
        return self._incoming.offset if self._incoming else 0

    async def write(self, data: bytes) -> None:
        await (await self._opened()).write(data)

    async def commit(self, digest: str) -> bool:
        return await (await self._opened()).commit(digest)

    async def abort(self) -> None:
        if self._incoming:
            await self._incoming.abort()

    async def _opened(self) -> Incoming:
        if self._incoming is None:
            self._incoming = await self._content.receive()
        return self._incoming


async def receive(request: web.BaseRequest, incoming: Incoming) -> int:
    """Take the request's body into the blob; how many bytes. Where it breaks off, what has come stays."""
    total, ended = 0, False
    while not ended:
        pieces, length = [], 0
        while length < _PIECE:
            piece = await some(request)
            if not piece:
                ended = True
                break
            pieces.append(piece)
            length += len(piece)
        if incoming.offset + length > LARGEST_BLOB:
            raise Refused("SIZE_INVALID", f"a blob has {LARGEST_BLOB} bytes at most", status=413)
        if length:
            await incoming.write(b"".join(pieces))
        total += length
    return total


async def some(request: web.BaseRequest) -> bytes:
    """The next bytes of the body, none at its end."""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await request.content.readany()
    except TimeoutError:
        raise Refused("SIZE_INVALID", f"no byte came for {_BODY_SECONDS:g} s", status=408) from None
    except (OSError, web.RequestPayloadError) as error:
        raise Refused("SIZE_INVALID", f"the body broke off: {error}") from None


def _busy(why: str) -> Refused:
    return Refused("TOOMANYREQUESTS", f"{why}: try again in a moment", headers={"Retry-After": "1"})
