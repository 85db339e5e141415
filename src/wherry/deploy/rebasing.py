"""Moving what runs onto images that were rebased: which Deployments run which image, and the new one in its place."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wherry.client.client import Patch
from wherry.client.http import HttpClient
from wherry.deploy.images import pod_spec
from wherry.images.layout import Layout
from wherry.images.names import full_name, repository
from wherry.objects import Obj, Ref


@dataclass(frozen=True)
class Use:
    """A container of a Deployment; `digest` is that of the layout's image that it runs."""

    deployment: Ref
    part: str  # "containers" or "initContainers"
    container: str
    image: str
    digest: str


async def uses(client: HttpClient, layout: Layout) -> Sequence[Use]:
    """The containers of all Deployments whose images are in the layout."""
    listed = await client.list("Deployment.apps")
    return [use for deployment in listed.items for use in _of({**deployment, "kind": "Deployment"}, layout)]


def _of(deployment: Obj, layout: Layout) -> Iterator[Use]:
    meta = deployment["metadata"]
    ref = Ref("Deployment.apps", meta["namespace"], meta["name"])
    spec = pod_spec(deployment) or {}
    for part in ("initContainers", "containers"):
        for container in spec.get(part) or ():
            digest = digest_of(layout, str(container.get("image") or ""))
            if digest:
                yield Use(ref, part, container["name"], container["image"], digest)


def digest_of(layout: Layout, image: str) -> str:
    """The digest of an image as a container names it; "" where the layout does not have it."""
    digest = image.partition("@")[2]
    if digest:
        return digest if layout.has(digest) else ""
    found = layout.find(full_name(image)) if image else None
    return found.digest if found is not None else ""


def name_for(layout: Layout, use: Use) -> str:
    """The name that the new image gets: the one that the old has, else one of its own."""
    held = sorted(name for name, found in layout.names().items() if found.digest == use.digest and "/" in name)
    mine = [name for name in held if repository(name) == repository(use.image)]
    return (mine or [f"{repository(use.image)}:rebased-{use.digest[7:19]}"])[0]


def patches(moved: Iterable[Use], images: Mapping[str, str]) -> dict[Ref, Obj]:
    """For each Deployment the patch that sets its containers to the new images (old digest -> NAME@DIGEST)."""
    found: dict[Ref, Obj] = {}
    for use in moved:
        spec = found.setdefault(use.deployment, {"spec": {"template": {"spec": {}}}})["spec"]["template"]["spec"]
        spec.setdefault(use.part, []).append({"name": use.container, "image": images[use.digest]})
    return found


async def move(client: HttpClient, changes: Mapping[Ref, Obj]) -> None:
    """Carry the patches out; the rollouts begin."""
    for ref, patch in changes.items():
        await client.patch(*ref, patch, form=Patch.STRATEGIC)
