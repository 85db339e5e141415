"""Manifests and blobs of one repository."""

import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import aiohttp
import orjson

from wherry.images.layout import INDEX, MANIFEST
from wherry.images.registry.session import RegistryError, Session

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
ACCEPTED = ", ".join((MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX))
_RESUMES = 5  # times that a broken download goes on where it stopped
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Repository:
    """`name` is the path below the registry: `library/python`."""

    session: Session
    name: str

    @property
    def _pull(self) -> str:
        return f"repository:{self.name}:pull"

    @property
    def _push(self) -> str:
        return f"repository:{self.name}:pull,push"

    async def manifest(self, reference: str) -> tuple[str, str, bytes]:
        """Media type, digest and bytes of a tag or digest, verified. RegistryError with status 404 where unknown."""
        path = f"/v2/{self.name}/manifests/{reference}"
        answer = await self.session.call("GET", path, self._pull, headers={"Accept": ACCEPTED})
        digest = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        wanted = reference if reference.startswith("sha256:") else answer.headers.get("Docker-Content-Digest", digest)
        if wanted.startswith("sha256:") and wanted != digest:
            raise RegistryError(
                f"{self.session.host}/{self.name}: the manifest of {reference} is not what its digest says"
            )
        media = answer.headers.get("Content-Type", "").partition(";")[0]
        return media or str(_loaded(answer.body).get("mediaType", MANIFEST)), digest, answer.body

    async def put_manifest(self, reference: str, media_type: str, data: bytes) -> None:
        path = f"/v2/{self.name}/manifests/{reference}"
        await self.session.call("PUT", path, self._push, body=data, headers={"Content-Type": media_type})

    async def has_manifest(self, digest: str) -> bool:
        return await self._has(f"/v2/{self.name}/manifests/{digest}", {"Accept": ACCEPTED})

    async def has_blob(self, digest: str) -> bool:
        return await self._has(f"/v2/{self.name}/blobs/{digest}", {})

    async def _has(self, path: str, headers: dict[str, str]) -> bool:
        try:
            await self.session.call("HEAD", path, self._pull, headers=headers)
        except RegistryError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def tags(self) -> list[str]:
        answer = await self.session.call("GET", f"/v2/{self.name}/tags/list", self._pull)
        return sorted(_loaded(answer.body).get("tags") or ())

    async def blob(self, digest: str, size: int) -> AsyncIterator[bytes]:
        """The blob's bytes. A broken download goes on where it stopped. RegistryError if its digest is another."""
        path, got, hashed = f"/v2/{self.name}/blobs/{digest}", 0, hashlib.sha256()
        for attempt in range(_RESUMES + 1):
            headers = {"Range": f"bytes={got}-"} if got else {}
            response = await self.session.open("GET", path, self._pull, headers=headers)
            skip = got if got and response.status == 200 else 0  # it knows no ranges: read what is known already
            try:
                async for chunk in response.content.iter_chunked(_CHUNK):
                    fresh = chunk[skip:]
                    skip -= len(chunk) - len(fresh)
                    got += len(fresh)
                    if got > size:
                        raise RegistryError(
                            f"{self.session.host}: blob {digest} is longer than the {size} bytes announced"
                        )
                    hashed.update(fresh)
                    if fresh:
                        yield fresh
            except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError, TimeoutError) as error:
                if attempt == _RESUMES:
                    raise RegistryError(
                        f"{self.session.host}: blob {digest} broke off after {got} bytes: {error}"
                    ) from error
                continue
            finally:
                response.release()
            if got >= size:
                break
        if f"sha256:{hashed.hexdigest()}" != digest:
            raise RegistryError(f"{self.session.host}: blob {digest} arrived as something else ({got} of {size} bytes)")

    async def mount(self, digest: str, source: str) -> bool:
        """Take a blob over from another repository of the same registry, if it allows that."""
        query = urlencode({"mount": digest, "from": source})
        scope = f"{self._push} repository:{source}:pull"
        answer = await self.session.call("POST", f"/v2/{self.name}/blobs/uploads/?{query}", scope, body=b"")
        if answer.status == 201:
            return True
        location = answer.headers.get("Location")
        if location:  # an upload that nobody will go on with
            with contextlib.suppress(RegistryError):
                await self.session.call("DELETE", self._absolute(location), scope)
        return False

    async def upload(self, digest: str, size: int, stream: Callable[[], Any]) -> None:
        """Send a blob in one piece; `stream` gives its bytes anew for every try."""
        answer = await self.session.call("POST", f"/v2/{self.name}/blobs/uploads/", self._push, body=b"")
        location = self._absolute(answer.headers.get("Location", ""))
        separator = "&" if urlsplit(location).query else "?"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        url = f"{location}{separator}{urlencode({'digest': digest})}"
        await self.session.call("PUT", url, self._push, body=stream, headers=headers)

    def _absolute(self, location: str) -> str:
        """A Location may be relative."""
        if not location:
            raise RegistryError(f"{self.session.host} does not say where to upload to")
        return urljoin(f"{self.session.base}/", location)


def of_platform(index: bytes, platform: str) -> str:
    """The digest of a platform's manifest in an index. Raises RegistryError naming those there are."""
    found: dict[str, str] = {}
    for one in _loaded(index).get("manifests") or ():
        has = one.get("platform") or {}
        parts = (has.get("os"), has.get("architecture"), has.get("variant"))
        found["/".join(filter(None, parts))] = str(one["digest"])
    for known, digest in found.items():
        if known == platform or known.startswith(f"{platform}/"):
            return digest
    raise RegistryError(f"the image is not there for {platform}; it is for {', '.join(sorted(_real(found)))}", 404)


def _real(found: Iterable[str]) -> list[str]:
    return [each for each in found if each and not each.startswith("unknown")]


def _loaded(data: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise RegistryError(f"the registry's answer is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise RegistryError("the registry's answer is no JSON object")
    return value
