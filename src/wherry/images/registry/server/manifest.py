"""A manifest or index as it is pushed: read, checked, and told apart. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from wherry.images.layout import CONFIG, INDEX, MANIFEST, Descriptor
from wherry.images.registry.client import DOCKER_INDEX, DOCKER_MANIFEST
from wherry.images.registry.server.errors import Refused
from wherry.images.registry.server.routes import DIGEST

LARGEST = 4 << 20  # bytes, as other registries have it
_MOST_PARTS = 2000
INDEXES = (INDEX, DOCKER_INDEX)
_KINDS = (MANIFEST, DOCKER_MANIFEST, *INDEXES)
_CONFIGS = (CONFIG, "application/vnd.docker.container.image.v1+json")
_LAYERS = ("application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs.")


@dataclass(frozen=True)
class Manifest:
    """`parts` are an image's layers, or an index's manifests."""

    target: Descriptor
    data: bytes
    config: Descriptor | None
    parts: tuple[Descriptor, ...]
    subject: str
    artifact_type: str
    annotations: Mapping[str, str]

    @property
    def needed(self) -> tuple[Descriptor, ...]:
        return (self.config, *self.parts) if self.config else self.parts

    @property
    def is_image(self) -> bool:
        """Whether it may be a container's image: its config and layers say so."""
        config = self.config is not None and self.config.media_type in _CONFIGS
        return config and all(part.media_type.startswith(_LAYERS) for part in self.parts)


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def read(data: bytes, content_type: str = "") -> Manifest:
    """Raises Refused where it is none, or not what its Content-Type says."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _invalid(f"it is no JSON: {error}") from None
    if not isinstance(value, dict) or value.get("schemaVersion") != 2:
        raise _invalid("schemaVersion must be 2: schema 1 has been out of use since 2017")
    said = value.get("mediaType")
    kind = content_type.partition(";")[0].strip() or said or _shape(value)
    if kind not in _KINDS:
        raise _invalid(f"{kind!r} is no media type of a manifest; these are: {', '.join(_KINDS)}")
    if said not in (None, kind):
        raise _invalid(f"its mediaType is {said!r}, and its Content-Type {kind!r}")
    is_index = kind in INDEXES
    if _shape(value) != (INDEX if is_index else MANIFEST):
        raise _invalid(f"it is not of the form of {kind}: an image has config and layers, an index manifests")
    config = None if is_index else _descriptor(value["config"], "config")
    parts = _descriptors(value["manifests" if is_index else "layers"])
    subject = _descriptor(value["subject"], "subject").digest if value.get("subject") else ""
    artifact = str(value.get("artifactType") or ("" if config is None else config.media_type))
    notes = value.get("annotations") or {}
    if not isinstance(notes, dict):
        raise _invalid("annotations are not an object")
    target = Descriptor(str(kind), digest_of(data), len(data))
    return Manifest(target, data, config, parts, subject, artifact, {str(key): str(notes[key]) for key in notes})


def diff_ids(config: bytes, layers: int, platform: str) -> list[str] | None:
    """The layers' digests before compression; None for an image of another platform. Raises Refused."""
    try:
        value = orjson.loads(config)
        if f"{value.get('os')}/{value.get('architecture')}" != platform:
            return None
        found = list(value["rootfs"]["diff_ids"])
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise _invalid(f"its config is no image's: {error!r}") from None
    if len(found) != layers or not all(isinstance(each, str) and DIGEST.fullmatch(each) for each in found):
        raise _invalid(f"it has {layers} layers, and its config the digests of {len(found)}")
    return found


def _shape(value: Mapping[str, Any]) -> str:
    if isinstance(value.get("manifests"), list) and "config" not in value:
        return INDEX
    return MANIFEST if isinstance(value.get("layers"), list) and "config" in value else ""


def _descriptors(values: Sequence[Any]) -> tuple[Descriptor, ...]:
    if len(values) > _MOST_PARTS:
        raise _invalid(f"it has {len(values)} parts; {_MOST_PARTS} are the most")
    return tuple(_descriptor(each, f"part {number}") for number, each in enumerate(values))


def _descriptor(value: Any, where: str) -> Descriptor:
    fields = value if isinstance(value, dict) else {}
    kind, digest, size = fields.get("mediaType"), fields.get("digest"), fields.get("size")
    if not (isinstance(kind, str) and isinstance(digest, str) and type(size) is int and size >= 0):
        raise _invalid(f"{where} lacks a mediaType, a digest or a size")
    if not DIGEST.fullmatch(digest):
        raise _invalid(f"{where}: {digest[:100]!r} is no sha256 digest")
    return Descriptor(kind, digest, size)


def _invalid(why: str) -> Refused:
    return Refused("MANIFEST_INVALID", f"the manifest cannot be taken: {why}")
