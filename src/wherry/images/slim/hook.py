"""What tells at run time that a module was taken out: an import hook beside the packages that it was taken from. Pure.

Python's own finders go first, so the hook costs nothing until an import fails.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from wherry.images.layers.tar import Member
from wherry.images.slim.imports import module
from wherry.images.slim.plan import Removal, site

NAME = "_wherry_removed"
_PTH = f"import {NAME}\n"
_CODE = '''\
"""Says which modules `wherry image slim` took out of this image."""

import sys

REMOVED = {removed!r}


class _Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        part = name
        while part:
            if part in REMOVED:
                raise ModuleNotFoundError(
                    f"No module named {{name!r}}: removed by slimming. "
                    f"Keep it with `wherry image slim --keep {{REMOVED[part]}}`",
                    name=name,
                )
            part = part.rpartition(".")[0]
        return None


sys.meta_path.append(_Finder)
'''


def hooks(removals: Sequence[Removal], emptied: Collection[str]) -> Iterator[Member]:
    """The files to add: for each folder of packages that lost modules, the hook and the line that loads it.

    `emptied`: folders of which nothing is left.
    """
    for root, removed in sorted(modules(removals, emptied).items()):
        code = _CODE.format(removed=dict(sorted(removed.items())))
        yield Member(name=f"{root}/{NAME}.py", mode=0o644, data=code.encode())
        yield Member(name=f"{root}/{NAME}.pth", mode=0o644, data=_PTH.encode())


def modules(removals: Sequence[Removal], emptied: Collection[str]) -> dict[str, dict[str, str]]:
    """For each folder of packages the modules that went, with the path that keeps each; the topmost ones only."""
    found: dict[str, dict[str, str]] = {}
    for one in removals:
        root = site(one.path)
        if not root or not one.path.endswith(".py"):
            continue
        places = {one.path: f"/{one.path}"}
        places |= {f"{folder}/__init__.py": f"/{folder}/" for folder in _above(one.path, emptied)}
        for source, keep in places.items():
            name = module(source, root)
            if all(part.isidentifier() for part in name.split(".")):
                found.setdefault(root, {})[name] = keep
    return {root: {name: keep for name, keep in each.items() if not _below(name, each)} for root, each in found.items()}


def _above(path: str, emptied: Collection[str]) -> Iterator[str]:
    folder = path.rpartition("/")[0]
    while folder in emptied:
        yield folder
        folder = folder.rpartition("/")[0]


def _below(name: str, others: Mapping[str, str]) -> bool:
    """Whether a package that went holds it."""
    parts = name.split(".")
    return any(".".join(parts[:count]) in others for count in range(1, len(parts)))
