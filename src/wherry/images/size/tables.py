"""The report as lines to read and as JSON. Pure."""

from collections.abc import Iterator
from typing import Any

from wherry.images.size.account import DEPENDENCIES, File, Report
from wherry.images.size.treemap import written
from wherry.images.size.waste import waste

_SHOWN = 15


def lines(report: Report) -> Iterator[str]:
    """Sums, layers, packages, what could go."""
    parts = " + ".join(f"{name} {written(size)}" for name, size in report.parts.items())
    yield report.reference
    yield f"image size  {written(report.visible)} = {parts}"
    yield f"in layers   {written(report.total)}, of which {written(report.wasted)} hidden by later layers"
    yield f"in registry {written(report.stored)}"
    yield ""
    yield f"{'LAYER':14}{'REGISTRY':>10}{'UNPACKED':>10}  MADE BY"
    for digest, stored, size, made_by in report.layers:
        yield f"{digest.removeprefix('sha256:')[:12]:14}{written(stored):>10}{written(size):>10}  {_short(made_by)}"
    yield ""
    yield f"{'PACKAGE':44}{'SIZE':>10}{'FILES':>7}  WANTED BY"
    for one in report.packages[:_SHOWN]:
        name = f"{one.package.name} {one.package.version}"
        wanted = ", ".join(one.wanted_by[:3]) or ("directly" if one.package.kind == "python" else "the base")
        yield f"{name if len(name) < 44 else name[:42] + '…':44}{written(one.size):>10}{one.files:>7}  {wanted}"
    if len(report.packages) > _SHOWN:
        rest = report.packages[_SHOWN:]
        yield f"{f'{len(rest)} more':44}{written(sum(one.size for one in rest)):>10}"
    found = waste(report)
    if found:
        yield ""
        yield f"{'COULD GO':10}{'FILES':>7}  WHAT"
        for each in found:
            yield f"{written(each.size):10}{each.files:>7}  {each.what}: {each.fix}"


def tree(report: Report, depth: int = 3, least_share: float = 0.01) -> Iterator[str]:
    """Folders with their bytes, the largest first; what is below `least_share` of the whole is not shown."""
    sizes: dict[str, int] = {}
    for file in report.files:
        parts = file.path.split("/")
        for count in range(1, min(len(parts), depth) + 1):
            path = "/".join(parts[:count])
            sizes[path] = sizes.get(path, 0) + file.size
    least = report.visible * least_share

    def below(prefix: str, level: int) -> Iterator[str]:
        mine = [path for path in sizes if path.startswith(prefix) and path.count("/") == level and sizes[path] >= least]
        for path in sorted(mine, key=lambda each: (-sizes[each], each)):
            yield f"{written(sizes[path]):>10}  {'  ' * level}{path.rpartition('/')[2]}"
            yield from below(f"{path}/", level + 1)

    yield from below("", 0)


def plain(report: Report) -> dict[str, Any]:
    """All sums as JSON has them; bytes are numbers."""
    return {
        "reference": report.reference,
        "digest": report.digest,
        "size": {"visible": report.visible, "hidden": report.wasted, "total": report.total, "registry": report.stored},
        "parts": dict(report.parts),
        "layers": [
            {"digest": digest, "registry": stored, "unpacked": size, "madeBy": made_by}
            for digest, stored, size, made_by in report.layers
        ],
        "packages": [
            {
                "kind": one.package.kind,
                "name": one.package.name,
                "version": one.package.version,
                "size": one.size,
                "files": one.files,
                "wantedBy": list(one.wanted_by),
            }
            for one in report.packages
        ],
        "waste": [
            {"code": one.code, "what": one.what, "size": one.size, "files": one.files, "fix": one.fix}
            for one in waste(report)
        ],
        "bytecode": sum(file.size for file in report.files if file.path.endswith(".pyc")),
        "unowned": _unowned(report.files),
    }


def _unowned(files: Any) -> int:
    """Bytes among the dependencies that no package's RECORD lists."""
    each: list[File] = list(files)
    return sum(file.size for file in each if file.part == DEPENDENCIES and file.owner is None)


def _short(made_by: str) -> str:
    text = " ".join(made_by.split()).removeprefix("/bin/sh -c ").removeprefix("#(nop) ")
    return text if len(text) <= 70 else text[:69] + "…"
