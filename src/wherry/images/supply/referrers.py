"""Artifacts that refer to an image: OCI 1.1 manifests with a `subject`, kept in the same layout and listed for it."""

from collections.abc import Iterator, Mapping
from typing import Any

from wherry.images.errors import ImageError
from wherry.images.layout import INDEX, MANIFEST, Descriptor, Layout, canonical

EMPTY = "application/vnd.oci.empty.v1+json"


def attach(
    layout: Layout, subject: Descriptor, kind: str, document: Mapping[str, Any], annotations: Mapping[str, str]
) -> Descriptor:
    """Put the document beside the image that it is about. Attaching the same again changes nothing."""
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": kind,
        "config": layout.put(EMPTY, b"{}").to_json(),
        "layers": [layout.put(kind, canonical(document)).to_json()],
        "subject": subject.to_json(),
        "annotations": dict(annotations),
    }
    made = layout.put_json(MANIFEST, manifest)
    listed = {one["digest"]: one for one in _listed(layout, subject)}
    listed[made.digest] = {**made.to_json(), "artifactType": kind, "annotations": dict(annotations)}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [listed[digest] for digest in sorted(listed)]}
    layout.name(tag(subject.digest), layout.put_json(INDEX, index))
    return made


def referrers(layout: Layout, subject: Descriptor, kind: str = "") -> Iterator[tuple[Descriptor, str]]:
    """The artifacts about an image, with their kinds; of one kind only, where one is named."""
    for one in _listed(layout, subject):
        if kind in ("", one.get("artifactType")):
            yield Descriptor(one["mediaType"], one["digest"], one["size"]), str(one.get("artifactType", ""))


def document(layout: Layout, artifact: Descriptor) -> dict[str, Any]:
    """What an artifact says. Raises ImageError where its one layer is not there."""
    layers = layout.read_json(artifact.digest).get("layers") or []
    if len(layers) != 1:
        raise ImageError(f"{artifact.digest} is no artifact of one document")
    return layout.read_json(layers[0]["digest"])


def tag(digest: str) -> str:
    """The name under which registries without a referrers API, and layouts, list them (OCI distribution 1.1)."""
    return digest.replace(":", "-")


def _listed(layout: Layout, subject: Descriptor) -> list[dict[str, Any]]:
    found = layout.find(tag(subject.digest))
    return [] if found is None else list(layout.read_json(found.digest)["manifests"])
