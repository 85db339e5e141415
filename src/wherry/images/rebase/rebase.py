"""The same app on another base: found, checked, written. Reads and writes an OCI image layout."""

import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wherry.images.errors import ImageError
from wherry.images.layout import CONFIG, MANIFEST, Descriptor, Layout
from wherry.images.media import oci_layer
from wherry.images.names import full_name
from wherry.images.rebase import elf
from wherry.images.rebase.abi import Files, unfit
from wherry.images.size.entries import clean, unpacked

BASE_NAME, BASE_DIGEST = "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"
_LARGEST = 512 << 20  # bytes of a library that is looked into
_INHERITED = ("Cmd", "Entrypoint", "Shell", "StopSignal")


@dataclass(frozen=True)
class Image:
    """An image of the layout, as far as this needs it."""

    digest: str
    manifest: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def diff_ids(self) -> Sequence[str]:
        return tuple(self.config["rootfs"]["diff_ids"])

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.config.get("config") or {}


@dataclass(frozen=True)
class Rebased:
    """The new image; `old` and `new` are the digests of its bases. `changed` is false where it was on that base."""

    reference: str
    digest: str
    old: str
    new: str
    changed: bool


def load(layout: Layout, digest: str) -> Image:
    """Raises ImageError where it is no single image."""
    manifest = layout.read_json(digest)
    if "layers" not in manifest:
        raise ImageError(f"{digest} is an index of images for several platforms: pull it for one")
    return Image(digest, manifest, layout.read_json(manifest["config"]["digest"]))


def named(layout: Layout, reference: str) -> Image:
    found = layout.find(full_name(reference))
    if found is None:
        raise ImageError(f"{reference} is not here: `wherry image ls` lists what is")
    return load(layout, found.digest)


def base_of(layout: Layout, image: Image) -> Image:
    """The base that an image was built on. Raises ImageError where it cannot be told."""
    said = str((image.manifest.get("annotations") or {}).get(BASE_DIGEST, ""))
    if said and layout.has(said):
        base = load(layout, said)
        if _is_below(base, image):
            return base
    below = [one for one in _images(layout) if one.digest != image.digest and _is_below(one, image)]
    if not below:
        what = f"{said}, which is not here any more or was changed since" if said else "an image that is not here"
        raise ImageError(f"its base is {what}: pull or load that, or build the image anew")
    return max(below, key=lambda one: (len(one.diff_ids), one.digest))


def _is_below(base: Image, image: Image) -> bool:
    return 0 < len(base.diff_ids) < len(image.diff_ids) and image.diff_ids[: len(base.diff_ids)] == base.diff_ids


def _images(layout: Layout) -> Iterator[Image]:
    for name, found in layout.names().items():
        if "/" in name and "manifest" in found.media_type and layout.has(found.digest):
            yield load(layout, found.digest)


def rebase(layout: Layout, image: Image, base: Image, base_name: str, target: str) -> Rebased:
    """Write `target`: the image's own layers on `base`. Raises ImageError with every reason where they do not fit."""
    old = base_of(layout, image)
    if old.diff_ids == base.diff_ids:
        return Rebased(full_name(target), image.digest, old.digest, base.digest, changed=False)
    count = len(old.diff_ids)
    reasons = [*_platform(image, base), *_unfit(layout, image, old, base)]
    if reasons:
        raise ImageError("it does not fit onto that base:\n" + "\n".join(f"  {reason}" for reason in reasons))
    own = image.manifest["layers"][count:]
    layers = [{**layer, "mediaType": oci_layer(str(layer["mediaType"]))} for layer in (*base.manifest["layers"], *own)]
    config = {
        **image.config,
        "config": inherited(image.settings, old.settings, base.settings),
        "rootfs": {"type": "layers", "diff_ids": [*base.diff_ids, *image.diff_ids[count:]]},
        "history": [*(base.config.get("history") or ()), *_own_history(image, count)],
    }
    annotations = {
        **(image.manifest.get("annotations") or {}),
        BASE_NAME: full_name(base_name),
        BASE_DIGEST: base.digest,
    }
    parts = {"mediaType": MANIFEST, "config": layout.put_json(CONFIG, config).to_json(), "layers": layers}
    made = layout.put_json(MANIFEST, {**image.manifest, **parts, "annotations": annotations})
    layout.name(full_name(target), made)
    return Rebased(full_name(target), made.digest, old.digest, base.digest, changed=True)


def _own_history(image: Image, count: int) -> Sequence[Mapping[str, Any]]:
    """The steps after those that made the `count` lowest layers."""
    steps = list(image.config.get("history") or ())
    left = count
    for number, step in enumerate(steps):
        if left == 0 and not step.get("empty_layer"):
            return steps[number:]
        left -= 0 if step.get("empty_layer") else 1
    return []


def inherited(own: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The app's settings, with the new base's in place of those that it had from the old one."""
    found = dict(own)
    for key in _INHERITED:
        if own.get(key) is not None and own.get(key) == old.get(key):
            found[key] = new.get(key)
    mine, before, after = (_variables(each) for each in (own, old, new))
    environment = {}
    for name, value in mine.items():
        if name not in before:
            environment[name] = value
        elif value == before[name]:
            environment |= {name: after[name]} if name in after else {}
        elif name in after and before[name] and value.endswith(f":{before[name]}"):
            environment[name] = value.removesuffix(before[name]) + after[name]
        else:
            environment[name] = value
    environment = {**{name: value for name, value in after.items() if name not in mine}, **environment}
    found["Env"] = [f"{name}={value}" for name, value in environment.items()]
    return {key: value for key, value in found.items() if value is not None}


def _variables(settings: Mapping[str, Any]) -> dict[str, str]:
    return dict(entry.partition("=")[::2] for entry in settings.get("Env") or ())


def _platform(image: Image, base: Image) -> Iterator[str]:
    for key in ("os", "architecture"):
        if image.config.get(key) != base.config.get(key):
            yield f"it is for {key} {image.config.get(key)}, and the new base for {base.config.get(key)}"


def _unfit(layout: Layout, image: Image, old: Image, base: Image) -> Iterator[str]:
    layers = image.manifest["layers"]
    count = len(old.diff_ids)
    app, before = files(layout, layers[count:]), files(layout, layers[:count])
    after = files(layout, base.manifest["layers"])
    return unfit(app, before, after, str(image.settings.get("User") or ""))


def files(layout: Layout, layers: Sequence[Mapping[str, Any]]) -> Files:
    """What the check looks at, of some layers. Blocking."""
    paths: set[str] = set()
    links: dict[str, str] = {}
    elves: dict[str, elf.Elf] = {}
    users: set[str] = set()
    for described in layers:
        for member, head in _members(layout, str(described["digest"])):
            path = clean(member.name)
            if not member.isdir():
                paths.add(path)
            if member.issym() or member.islnk():
                links[path] = member.linkname if member.issym() else f"/{clean(member.linkname)}"
            if path in ("etc/passwd", "etc/group"):
                users.update(line.partition(":")[0] for line in head.decode(errors="replace").splitlines())
            elif (found := elf.read(head)) is not None:
                elves[path] = found
    return Files(frozenset(paths), links, elves, frozenset(users))


def _members(layout: Layout, digest: str) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Each member, with its bytes where they say something."""
    try:
        with (
            layout.path(digest).open("rb") as blob,
            unpacked(blob, digest) as plain,
            tarfile.open(fileobj=plain, mode="r|") as source,
        ):
            for member in source:
                file = source.extractfile(member) if member.isreg() and member.size <= _LARGEST else None
                head = file.read(4) if file is not None else b""
                if file is not None and (head == elf.MAGIC or clean(member.name) in ("etc/passwd", "etc/group")):
                    head += file.read()
                yield member, head
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ImageError(f"layer {digest} cannot be read: {error}") from error


def descriptor(layout: Layout, digest: str) -> Descriptor:
    return Descriptor(MANIFEST, digest, layout.path(digest).stat().st_size)
