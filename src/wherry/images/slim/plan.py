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
_LIBRARY = re.compile(r"\.so(\.\d+)*$")  # who loads them is seen at run time alone
_LAZY_STUBS = re.compile(r"\b(lazy_loader|attach_stub)\b")
_COMPILING = re.compile(r"\b(cffi|cython|numba|torch\.utils\.cpp_extension|scipy\.weave)\b")


@dataclass(frozen=True)
class Removal:
    """A file that may go, and why that is safe."""

    path: str
    size: int
    why: str


def is_source(path: str) -> bool:
    """The texts that the plan wants to see, beside the packages' metadata."""
    return path.endswith((".py", ".sh", "entry_points.txt")) or path.rpartition("/")[2].startswith("entrypoint")


def plan(
    report: Report, texts: Mapping[str, str], keep: Sequence[str] = (), command: Sequence[str] = ()
) -> list[Removal]:
    """The removals, by path. `command`: the words that start the image.

    `keep`: paths or folders (with a slash at the end) that stay whatever the facts say.
    """
    kept = _Kept(keep)
    sources = {path: text for path, text in texts.items() if path.endswith(".py") and not _STANDARD.search(path)}
    entries = {path: text for path, text in texts.items() if path.endswith("entry_points.txt")}
    scripts = {path: text for path, text in texts.items() if path not in sources and path not in entries}
    names = {path: mentioned(path, text, site(path)) for path, text in sources.items()}
    words = " ".join(command)
    facts = _Facts(
        _unused_tests(names, _entry_points(entries) | set(re.findall(r"[\w.]+", words))),
        _unused_installers(report, names, "\n".join([words, *_outside(scripts)])),
        any(_COMPILING.search(text) for text in sources.values()),
        any(_LAZY_STUBS.search(text) for text in sources.values()),
    )
    found = [
        Removal(file.path, file.size, why)
        for file in report.files
        if not kept(file.path) and not _LIBRARY.search(file.path) and (why := _why(file, facts))
    ]
    return sorted(found, key=lambda one: one.path)


@dataclass(frozen=True)
class _Facts:
    """What the sources prove: folders of tests with the reason, installers that nobody wants, two ways to use more."""

    tests: Mapping[str, str]
    installers: frozenset[str]
    compiles: bool
    reads_stubs: bool


def _outside(scripts: Mapping[str, str]) -> Iterator[str]:
    """The scripts that no installer brought itself."""
    return (text for path, text in scripts.items() if not site(path) and path.endswith((".sh", "entrypoint")))


class _Kept:
    def __init__(self, keep: Sequence[str]) -> None:
        self._keep = [each.lstrip("/") for each in keep]

    def __call__(self, path: str) -> bool:
        return any(path == each or (each.endswith("/") and path.startswith(each)) for each in self._keep)


def _why(file: File, facts: _Facts) -> str:
    path = file.path
    folder = path.rpartition("/")[0]
    while folder:
        if folder in facts.tests:
            return facts.tests[folder]
        folder = folder.rpartition("/")[0]
    if _is_installer(file) and file.owner is not None and file.owner.name in facts.installers:
        return f"no package needs {file.owner.name} and no module imports it"
    if _CACHES.search(path):
        return "a cache or a history: nothing reads it at run time"
    if _STUBS.search(path) and not facts.reads_stubs:
        return "type stubs are for type checkers"
    if _HEADERS.search(path) and not facts.compiles:
        return "headers and static libraries are for compilers, and nothing here compiles"
    if _DOCS.search(path):
        return "documentation and translations of the system"
    return ""


def _is_installer(file: File) -> bool:
    """Whether it is of pip, setuptools or wheel; not of a copy that another package keeps within itself."""
    owner = file.owner
    return (
        owner is not None
        and owner.kind == "python"
        and owner.name in _INSTALLERS
        and site(f"{owner.root}/x") == owner.root
    )


def site(path: str) -> str:
    """The site-packages folder that a file lies in, "" outside of one."""
    match = re.match(r"(.*/(?:site|dist)-packages)/", path)
    return match[1] if match else ""


def _test_folder(path: str) -> str:
    """The topmost folder of tests that an installed source lies in, "" where there is none."""
    root = site(path)
    parts = path.removeprefix(f"{root}/").split("/")
    for depth, part in enumerate(parts[:-1] if root else ()):
        if part in ("test", "tests", "testing"):
            return "/".join([root, *parts[: depth + 1]])
    return ""


def _unused_tests(names: Mapping[str, set[str]], started: set[str]) -> dict[str, str]:
    """Test folders of packages that no module that stays names, with the proof. `names`: what each source mentions."""
    folders: dict[str, list[str]] = {}
    for path in names:
        if folder := _test_folder(path):
            folders.setdefault(folder, []).append(path)
    inside = {path for paths in folders.values() for path in paths}
    used = started.union(*(found for path, found in names.items() if path not in inside))
    left = {folder: module(f"{folder}/__init__.py", site(f"{folder}/")) for folder in folders}
    while needed := [folder for folder, name in left.items() if _is_used(name, used)]:
        for folder in needed:  # what stays may name others
            used = used.union(*(names[path] for path in folders[folder]))
            del left[folder]
    return {
        folder: f"tests of {name.partition('.')[0]}: no module outside of them names {name}"
        for folder, name in left.items()
    }


def _entry_points(entries: Mapping[str, str]) -> set[str]:
    lines = (line.partition("=") for text in entries.values() for line in text.splitlines())
    return {value.strip().partition(":")[0] for _, equals, value in lines if equals}


def _is_used(name: str, used: set[str]) -> bool:
    return any(each == name or each.startswith(f"{name}.") for each in used)


def _unused_installers(report: Report, names: Mapping[str, set[str]], scripts: str) -> frozenset[str]:
    """pip, setuptools and wheel, where no other package asks for them, no module imports them, no script calls them."""
    own = {file.path for file in report.files if _is_installer(file)}
    used = {name.partition(".")[0] for path, found in names.items() if path not in own for name in found}
    used |= set(re.findall(r"\w+", scripts))
    wanted = {need for one in report.packages for need in one.package.needs if one.package.name not in _INSTALLERS}
    return frozenset(name for name in _INSTALLERS if name not in wanted and not used & set(_IMPORTED_AS[name]))


def summary(removals: Sequence[Removal]) -> Iterator[tuple[str, int, int]]:
    """(why, files, bytes), the largest first; reasons that begin alike, as for the tests of a package, are one."""
    sums: dict[str, tuple[set[str], int, int]] = {}
    for one in removals:
        kind = one.why.partition(":")[0]
        reasons, files, size = sums.get(kind, (set(), 0, 0))
        sums[kind] = ({*reasons, one.why}, files + 1, size + one.size)
    for kind, (reasons, files, size) in sorted(sums.items(), key=lambda item: -item[1][2]):
        yield next(iter(reasons)) if len(reasons) == 1 else f"{kind}, in {len(reasons)} folders", files, size
