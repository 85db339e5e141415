"""What may go from an image, file by file, each with the fact that proves it. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wherry.images.size.account import File, Report
from wherry.images.slim.imports import mentioned, module

_STANDARD = re.compile(r"(^|/)lib/python3(\.\d+)?/(?!(site|dist)-packages/)")
_HEADERS = re.compile(r"/site-packages/.*\.(h|hpp|hxx|a|la|pxd)$|^usr/include/")
_STUBS = re.compile(r"/(site|dist)-packages/.*\.pyi$")
_DOCS = re.compile(r"^usr/share/(doc|man|info|locale|lintian|doc-base)/(?!.*copyright$)")
_CACHES = re.compile(r"(^|/)\.cache/(pip|uv|pypoetry)/|^var/(lib/apt/lists|cache/apt)/.+|(^|/)\.(git|hg|svn)/")
_INSTALLERS = ("pip", "setuptools", "wheel")
_IMPORTED_AS = {"setuptools": ("setuptools", "pkg_resources", "distutils"), "pip": ("pip",), "wheel": ("wheel",)}
_COMPILING = re.compile(r"\b(cffi|cython|numba|torch\.utils\.cpp_extension|scipy\.weave)\b")


@dataclass(frozen=True)
class Removal:
    """A file that may go, and why that is safe."""

    path: str
    size: int
    why: str


def is_source(path: str) -> bool:
    """The texts that the plan wants to see, beside the packages' metadata."""
    return path.endswith((".py", "entry_points.txt"))


def plan(report: Report, texts: Mapping[str, str], keep: Sequence[str] = ()) -> list[Removal]:
    """The removals, by path. `keep`: paths or folders (with a slash at the end) that stay whatever the facts say."""
    kept = _Kept(keep)
    sources = {path: text for path, text in texts.items() if path.endswith(".py") and not _STANDARD.search(path)}
    entries = {path: text for path, text in texts.items() if path.endswith("entry_points.txt")}
    tests = _unused_tests(sources, entries)
    installers = _unused_installers(report, sources)
    compiles = any(_COMPILING.search(text) for text in sources.values())
    found = [
        Removal(file.path, file.size, why)
        for file in report.files
        if not kept(file.path) and (why := _why(file, tests, installers, compiles))
    ]
    return sorted(found, key=lambda one: one.path)


class _Kept:
    def __init__(self, keep: Sequence[str]) -> None:
        self._keep = [each.lstrip("/") for each in keep]

    def __call__(self, path: str) -> bool:
        return any(path == each or (each.endswith("/") and path.startswith(each)) for each in self._keep)


def _why(file: File, tests: Mapping[str, str], installers: frozenset[str], compiles: bool) -> str:
    path = file.path
    folder = path.rpartition("/")[0]
    while folder:
        if folder in tests:
            return tests[folder]
        folder = folder.rpartition("/")[0]
    if file.owner is not None and file.owner.kind == "python" and file.owner.name in installers:
        return f"no package needs {file.owner.name} and no module imports it"
    if _CACHES.search(path):
        return "a cache or a history: nothing reads it at run time"
    if _STUBS.search(path):
        return "type stubs are for type checkers"
    if _HEADERS.search(path) and not compiles:
        return "headers and static libraries are for compilers, and nothing here compiles"
    if _DOCS.search(path):
        return "documentation and translations of the system"
    return ""


def _root(path: str) -> str:
    """The site-packages folder that a source lies in, "" outside of one."""
    match = re.match(r"(.*/(?:site|dist)-packages)/", path)
    return match[1] if match else ""


def _test_folder(path: str) -> str:
    """The topmost folder of tests that an installed source lies in, "" where there is none."""
    root = _root(path)
    parts = path.removeprefix(f"{root}/").split("/")
    for depth, part in enumerate(parts[:-1] if root else ()):
        if part in ("test", "tests", "testing"):
            return "/".join([root, *parts[: depth + 1]])
    return ""


def _unused_tests(sources: Mapping[str, str], entries: Mapping[str, str]) -> dict[str, str]:
    """Test folders of packages that no module that stays names, with the proof."""
    folders: dict[str, list[str]] = {}
    for path in sources:
        if folder := _test_folder(path):
            folders.setdefault(folder, []).append(path)
    inside = {path for paths in folders.values() for path in paths}
    used = _used({path: text for path, text in sources.items() if path not in inside}) | _entry_points(entries)
    names = {folder: module(f"{folder}/__init__.py", _root(f"{folder}/")) for folder in folders}
    while needed := [folder for folder, name in names.items() if _is_used(name, used)]:
        for folder in needed:  # what stays may name others
            used |= _used({path: sources[path] for path in folders[folder]})
            del names[folder]
    return {folder: f"tests, and no module outside of them names {name}" for folder, name in names.items()}


def _used(sources: Mapping[str, str]) -> set[str]:
    return mentioned(sources, {path: _root(path) for path in sources})


def _entry_points(entries: Mapping[str, str]) -> set[str]:
    lines = (line.partition("=") for text in entries.values() for line in text.splitlines())
    return {value.strip().partition(":")[0] for _, equals, value in lines if equals}


def _is_used(name: str, used: set[str]) -> bool:
    return any(each == name or each.startswith(f"{name}.") for each in used)


def _unused_installers(report: Report, sources: Mapping[str, str]) -> frozenset[str]:
    """pip, setuptools and wheel, where no other package asks for them and no module imports them."""
    own = {file.path for file in report.files if file.owner is not None and file.owner.name in _INSTALLERS}
    tops = {name.partition(".")[0] for name in _used({path: sources[path] for path in sources if path not in own})}
    wanted = {need for one in report.packages for need in one.package.needs if one.package.name not in _INSTALLERS}
    return frozenset(name for name in _INSTALLERS if name not in wanted and not tops & set(_IMPORTED_AS[name]))


def summary(removals: Sequence[Removal]) -> Iterator[tuple[str, int, int]]:
    """(why, files, bytes), the largest first."""
    sums: dict[str, tuple[int, int]] = {}
    for one in removals:
        files, size = sums.get(one.why, (0, 0))
        sums[one.why] = (files + 1, size + one.size)
    for why, (files, size) in sorted(sums.items(), key=lambda item: -item[1][1]):
        yield why, files, size
