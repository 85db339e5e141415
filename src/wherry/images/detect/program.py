"""Distributions that are servers: the console script or `python -m` that starts one, with its options. Pure."""

import ast
import configparser
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from wherry.images.detect import options, sources
from wherry.images.detect.options import Serving
from wherry.images.sections import sections

_MOST_MODULES = 60
_SCRIPTS = re.compile(r"console_scripts[\"']?\s*[:=]\s*\[(.*?)\]", re.DOTALL)
_NOT_ONES_OWN = (
    "client",
    "admin",
    "test",
    "debug",
    "import",
    "export",
    "passwd",
    "upgrade",
    "fsck",
    "genconfig",
    "init",
)


@dataclass(frozen=True)
class Program:
    """A program that serves. `why` names the place of what was read."""

    name: str
    command: tuple[str, ...]
    port: int
    why: str


def program(files: Mapping[str, str]) -> Program | None:
    """The likeliest program: the one called like the distribution first."""
    own = plain(distribution(files))
    found = [(name, module) for name, module in scripts(files).items() if not any(no in name for no in _NOT_ONES_OWN)]
    found.sort(
        key=lambda one: (plain(one[0]) != f"{own}d", plain(one[0]) != own, "serve" not in one[0], len(one[0]), one[0])
    )
    for name, module in found:
        read = _reading(module, files)
        if read is not None:
            return Program(
                name, (name, *read[0].words), read[0].port, f"the console script {name}; {read[1]} has its options"
            )
    return _module(files)


def called_like(name: str, files: Mapping[str, str]) -> bool:
    """Whether a script has its distribution's name, as a program or as a daemon."""
    own = plain(distribution(files))
    return plain(name) in (own, f"{own}d")


def plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def distribution(files: Mapping[str, str]) -> str:
    """The distribution's own name, "" if nothing tells it."""
    for path in sorted(files, key=len):
        if path.rpartition("/")[2] == "PKG-INFO" and (match := re.search(r"^Name: *(\S+)", files[path], re.MULTILINE)):
            return match[1]
    for path, name in (("pyproject.toml", "^name"), ("setup.cfg", "^name"), ("setup.py", r"\bname")):
        if match := re.search(rf"{name} *= *[\"']?([A-Za-z0-9._-]+)", files.get(path, ""), re.MULTILINE):
            return match[1]
    return ""


def asks_for_itself(files: Mapping[str, str]) -> bool:
    """Whether a module looks up its own distribution's version, which is there only once that is installed."""
    name = distribution(files)
    if not name or not ("pyproject.toml" in files or "setup.py" in files):
        return False
    asked = re.compile(
        rf"\b(?:version|get_distribution|metadata|require)\(\s*(?:[\"']{re.escape(name)}[\"']|__name__|__package__)",
        re.I,
    )
    return any(
        asked.search(text) for path, text in files.items() if path.endswith(".py") and not path.startswith("tests")
    )


def scripts(files: Mapping[str, str]) -> dict[str, str]:
    """Console scripts by name, with the module that each starts."""
    return {name: to.partition(":")[0] for name, to in entry_points(files).get("console_scripts", {}).items()}


def entry_points(files: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What the distribution announces, by group and name: `module:object`."""
    try:
        document = tomllib.loads(files.get("pyproject.toml", ""))
    except tomllib.TOMLDecodeError:
        document = {}
    project, poetry = document.get("project") or {}, (document.get("tool") or {}).get("poetry") or {}
    found: dict[str, dict[str, str]] = {}
    for group, table in [
        ("console_scripts", project.get("scripts")),
        ("console_scripts", poetry.get("scripts")),
        *(project.get("entry-points") or {}).items(),
        *(poetry.get("plugins") or {}).items(),
    ]:
        found.setdefault(group, {}).update({name: to for name, to in (table or {}).items() if isinstance(to, str)})
    for source in (
        _called(files.get("setup.py", "")),
        _configured(files.get("setup.cfg", "")),
        _sections(next((files[path] for path in files if path.endswith(".egg-info/entry_points.txt")), "")),
    ):
        for group, entries in source.items():
            found.setdefault(group, {}).update({name: to.partition("[")[0].strip() for name, to in entries.items()})
    return {group: entries for group, entries in found.items() if entries}


def _called(setup: str) -> dict[str, dict[str, str]]:
    """The entry points that a setup.py passes as they stand there; of a call that is not plain, its console scripts."""
    try:
        calls = [node for node in ast.walk(ast.parse(setup)) if isinstance(node, ast.Call)]
    except (SyntaxError, ValueError, RecursionError):
        calls = []
    found: dict[str, dict[str, str]] = {}
    for word in (word for call in calls for word in call.keywords if word.arg == "entry_points"):
        try:
            value = ast.literal_eval(word.value)
        except (ValueError, TypeError):
            continue
        for group, lines in value.items() if isinstance(value, dict) else ():
            found.setdefault(group, {}).update(_entries(map(str, lines) if isinstance(lines, list | tuple) else ()))
    if match := None if "console_scripts" in found else _SCRIPTS.search(setup):
        found["console_scripts"] = _entries(re.findall(r"[\"']([^\"']+)[\"']", match[1]))
    return found


def _configured(setup: str) -> dict[str, dict[str, str]]:
    """The entry points in a setup.cfg."""
    groups = _sections(setup).get("options.entry_points", {})
    return {group: _entries(lines.splitlines()) for group, lines in groups.items()}


def _sections(text: str) -> dict[str, dict[str, str]]:
    """A text of sections, as that of the entry points in a source distribution; nothing of one that is none."""
    try:
        return sections(text)
    except configparser.Error:
        return {}


def _entries(lines: Iterable[str]) -> dict[str, str]:
    """`name = module:object [extras]`, one a line."""
    parted = (line.partition("=") for line in lines)
    return {name.strip(): to for name, equals, to in parted if equals}


def _module(files: Mapping[str, str]) -> Program | None:
    """A package with a `__main__`."""
    for path in sorted((one for one in files if one.endswith("__main__.py") and one.count("/") <= 2), key=len):
        module = path.removesuffix("/__main__.py").removeprefix("src/").replace("/", ".")
        if path.count("/") > path.startswith("src/") + 1 or module in ("tests", "test"):
            continue
        read = _reading(f"{module}.__main__", files)
        if read is not None:
            return Program(
                module, ("python", "-m", module, *read[0].words), read[0].port, f"{path}; {read[1]} has its options"
            )
    return None


def _reading(module: str, files: Mapping[str, str]) -> tuple[Serving, str] | None:
    """What the script's module says of its options, or one that it imports; and where."""
    top = module.partition(".")[0]
    waiting, seen = [module], set[str]()
    trees: dict[str, ast.Module] = {}
    while waiting and len(seen) < _MOST_MODULES:
        name = waiting.pop(0)
        for path in _paths(name, files):
            if path in seen:
                continue
            seen.add(path)
            try:
                trees[path] = ast.parse(files[path])
            except (SyntaxError, ValueError, RecursionError):
                continue
            waiting += [one for one in _imported(trees[path], name, path) if one.partition(".")[0] == top]
    anywhere = any("0.0.0.0" in files[path] or "tornado" in sources.imports(tree) for path, tree in trees.items())
    for path, tree in trees.items():
        found = options.serving(tree, anywhere=anywhere)
        if found is not None:
            return found, path
    return None


def _paths(module: str, files: Mapping[str, str]) -> list[str]:
    """The module's file; of a package both that which is run and that which is imported."""
    place = module.replace(".", "/")
    inside = () if module.endswith("__main__") else (f"{place}/__main__.py", f"{place}/__init__.py")
    forms = (f"{place}.py", *inside)
    return [path for form in forms for path in (form, f"src/{form}") if path in files]


def _imported(tree: ast.Module, module: str, path: str) -> Iterator[str]:
    parts = module.split(".")
    package = (
        parts if path.endswith(("__init__.py", "/__main__.py")) and not module.endswith("__main__") else parts[:-1]
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
