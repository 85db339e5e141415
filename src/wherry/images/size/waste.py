"""What could go from an image: each with the fix and the bytes that it saves. Pure."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from wherry.images.size.account import File, Report


@dataclass(frozen=True)
class Waste:
    """One kind of bytes that nothing needs at run time. `examples` are the largest of `files` files."""

    code: str
    what: str
    size: int
    files: int
    examples: Sequence[str]
    fix: str


Test = Callable[[str], bool]


def _matches(pattern: str) -> Test:
    compiled = re.compile(pattern)
    return lambda path: bool(compiled.search(path))


_KINDS: Sequence[tuple[str, str, Test, str]] = (
    (
        "pip-cache",
        "caches of pip, uv, poetry and npm",
        _matches(r"(^|/)(\.cache/(pip|uv|pypoetry)|\.npm/_cacache)/"),
        "pip install --no-cache-dir, or a cache mount: RUN --mount=type=cache,target=/root/.cache",
    ),
    (
        "apt-lists",
        "apt's package lists and archives",
        _matches(r"^var/(lib/apt/lists|cache/apt)/.+"),
        "end the RUN that installs with: && rm -rf /var/lib/apt/lists/*",
    ),
    (
        "vcs",
        "the repository's history",
        _matches(r"(^|/)\.(git|hg|svn)/"),
        "write .git into .dockerignore",
    ),
    (
        "tests",
        "tests of installed packages",
        _matches(r"/(site|dist)-packages/(.*/)?(tests?|testing)/.*\.(py|pyc|json|csv|txt|npy|npz)$"),
        "wherry image slim takes them out, and keeps a list",
    ),
    (
        "headers",
        "headers and static libraries",
        _matches(r"\.(h|hpp|hxx|a|la|pxd)$|^usr/include/"),
        "build in a first stage, and COPY --from it only what runs",
    ),
    (
        "stubs",
        "type stubs",
        _matches(r"/(site|dist)-packages/.*\.pyi$"),
        "wherry image slim takes them out, and keeps a list",
    ),
    (
        "docs",
        "manuals, documentation and translations of the system",
        _matches(r"^usr/share/(doc|man|info|locale|lintian|doc-base)/(?!.*copyright$)"),
        "take a -slim base, or exclude them with dpkg's path-exclude",
    ),
    (
        "installers",
        "package installers and compilers",
        _matches(
            r"/(site|dist)-packages/(pip|setuptools|wheel|poetry|pdm)/|(^|/)bin/(uv|uvx|poetry|gcc|g\+\+|cc1|cc1plus)$"
        ),
        "install in a first stage, and COPY --from it the environment",
    ),
    (
        "doubled-bytecode",
        "bytecode for other Python versions than the one that is installed",
        _matches(r"__pycache__/.*\.opt-[12]\.pyc$"),
        "compile once, without -O",
    ),
)


def waste(report: Report) -> list[Waste]:
    """The kinds that are there, the largest first; bytes of each file are counted once."""
    found = [*_hidden(report), *_kinds(report)]
    return sorted(found, key=lambda one: (-one.size, one.code))


def _kinds(report: Report) -> Iterator[Waste]:
    sorted_out: dict[str, list[File]] = defaultdict(list)
    for file in report.files:
        for code, _, test, _ in _KINDS:
            if test(file.path):
                sorted_out[code].append(file)
                break
    for code, what, _, fix in _KINDS:
        files = sorted_out[code]
        size = sum(file.size for file in files)
        if size:
            largest = sorted(files, key=lambda file: -file.size)[:3]
            yield Waste(code, what, size, len(files), tuple(file.path for file in largest), fix)


def _hidden(report: Report) -> Iterator[Waste]:
    for removed, code, what, fix in (
        (
            True,
            "removed-later",
            "removed by a later layer, and still in the image",
            "remove files in the RUN that made them",
        ),
        (
            False,
            "written-twice",
            "written again by a later layer, as by chown, chmod or an upgrade",
            "COPY --chown= and --chmod= set owner and mode; upgrade in the base",
        ),
    ):
        hidden = sorted((one for one in report.hidden if one.removed is removed), key=lambda one: -one.size)
        if hidden:
            size = sum(one.size for one in hidden)
            yield Waste(code, what, size, len(hidden), tuple(one.path for one in hidden[:3]), fix)
