"""Adding up an image: ImageSize = base + dependencies + app, and what is in it for nothing. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wherry.images.size.entries import Entry, ImageFiles
from wherry.images.size.packages import Owners, Package, owners

BASE, DEPENDENCIES, APP = "base", "dependencies", "app"
_BASE_LAYERS = "org.wherry.base.layers"  # how many of the lowest layers are the base's, where a build has said so


@dataclass(frozen=True)
class File:
    """A file as it is seen at last."""

    path: str
    size: int
    layer: int
    part: str  # base, dependencies, app
    owner: Package | None


@dataclass(frozen=True)
class Hidden:
    """Bytes that a later layer covers or removes, and that are in the image all the same."""

    path: str
    size: int
    layer: int  # where they lie
    by: int  # the layer that hides them
    removed: bool  # or written once more


@dataclass(frozen=True)
class PackageSize:
    """A package's bytes, and who asks for it."""

    package: Package
    size: int
    files: int
    wanted_by: Sequence[str]


@dataclass(frozen=True)
class Report:
    """All of it. `total` counts the files of every layer, so it is `visible` and `hidden` together."""

    reference: str
    digest: str
    stored: int  # bytes in a registry, compressed as they are
    parts: Mapping[str, int]
    layers: Sequence[tuple[str, int, int, str]]  # digest, stored, unpacked, made by
    packages: Sequence[PackageSize]
    files: Sequence[File]
    hidden: Sequence[Hidden]

    @property
    def visible(self) -> int:
        return sum(self.parts.values())

    @property
    def wasted(self) -> int:
        return sum(one.size for one in self.hidden)

    @property
    def total(self) -> int:
        return self.visible + self.wasted


def account(image: ImageFiles) -> Report:
    """Go through the layers from the lowest to the highest, as a runtime stacks them."""
    seen: dict[str, tuple[Entry, int]] = {}
    hidden: list[Hidden] = []
    for number, layer in enumerate(image.layers):
        for path in layer.removed:
            _hide(seen, hidden, path, number, removed=True, itself=True)
        for folder in layer.emptied:
            _hide(seen, hidden, folder, number, removed=True, itself=False)
        for entry in layer.entries:
            _put(seen, hidden, entry, number)
    owned = owners(image.texts, seen)
    base = _base_layers(image)
    files = [
        File(path, entry.size, layer, _part(path, layer, base, owned), owned.by_path.get(path))
        for path, (entry, layer) in sorted(seen.items())
        if not entry.directory
    ]
    parts = dict.fromkeys((BASE, DEPENDENCIES, APP), 0)
    for file in files:
        parts[file.part] += file.size
    layers = [(layer.digest, layer.stored, layer.size, layer.made_by) for layer in image.layers]
    packages = sorted(_packages(files, owned), key=lambda one: (-one.size, one.package.name))
    return Report(image.reference, image.digest, image.stored, parts, layers, packages, files, hidden)


def _put(seen: dict[str, tuple[Entry, int]], hidden: list[Hidden], entry: Entry, layer: int) -> None:
    before = seen.get(entry.path)
    if before is not None and before[1] < layer and not (before[0].directory and entry.directory):
        _hide(seen, hidden, entry.path, layer, removed=False, itself=True)
    seen[entry.path] = (entry, layer)


def _hide(
    seen: dict[str, tuple[Entry, int]], hidden: list[Hidden], path: str, by: int, *, removed: bool, itself: bool
) -> None:
    """Take a path of lower layers, and all below it, out of sight."""
    entry = seen.get(path)
    gone = [path] if entry is not None and itself else []
    if entry is None or entry[0].directory:
        gone += [each for each in seen if each.startswith(f"{path}/")]
    for each in gone:
        if seen[each][1] < by:
            lower, layer = seen.pop(each)
            if lower.size:
                hidden.append(Hidden(each, lower.size, layer, by, removed))


def _base_layers(image: ImageFiles) -> int:
    """How many of the lowest layers are the base's: as the build has said, else those with a Debian package's files."""
    said = image.annotations.get(_BASE_LAYERS, "")
    if said.isdigit():
        return min(int(said), len(image.layers))
    for number, layer in enumerate(image.layers):
        if number and any(".dist-info/" in entry.path for entry in layer.entries):
            return number
    return 1 if len(image.layers) > 1 else 0


def _part(path: str, layer: int, base: int, owned: Owners) -> str:
    owner = owned.by_path.get(path)
    if layer < base or (owner is not None and owner.kind == "debian"):
        return BASE
    if owner is not None or "/site-packages/" in f"/{path}" or "/node_modules/" in f"/{path}":
        return DEPENDENCIES
    return BASE if path.startswith(("usr/", "etc/", "var/lib/", "lib/")) else APP


def _packages(files: Iterable[File], owned: Owners) -> Iterable[PackageSize]:
    sizes: dict[int, list[int]] = defaultdict(list)
    by_identity = {id(package): package for package in owned.packages}
    for file in files:
        if file.owner is not None:
            sizes[id(file.owner)].append(file.size)
    for identity, each in sizes.items():
        package = by_identity[identity]
        yield PackageSize(package, sum(each), len(each), tuple(owned.wanted_by(package)))
