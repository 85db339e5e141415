"""Which modules Python sources may import: import statements, and strings that name a module. Pure; nothing is run."""

import ast
from collections.abc import Iterator, Mapping


def mentioned(sources: Mapping[str, str], roots: Mapping[str, str]) -> set[str]:
    """Every dotted name that one of `sources` (path -> text) imports or has as a string.

    `roots` gives the folder that each path's module name is relative to. What does not parse counts with all its words.
    """
    found: set[str] = set()
    for path, text in sources.items():
        package = _package(path, roots.get(path, ""))
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            found |= {word for word in text.replace("'", " ").replace('"', " ").split() if "." in word}
            continue
        found.update(_names(tree, package))
    return found


def module(path: str, root: str) -> str:
    """The dotted name of a source below `root`."""
    parts = path.removeprefix(f"{root}/").removesuffix(".py").split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _package(path: str, root: str) -> list[str]:
    """The package that relative imports of a source start from."""
    parts = path.removeprefix(f"{root}/").removesuffix(".py").split("/")
    return parts[:-1]


def _names(tree: ast.AST, package: list[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *((node.module or "").split(".") if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _dotted(node.value):
            yield node.value.partition(":")[0]
            if node.value.startswith("."):  # importlib.import_module(".tests", __name__)
                yield ".".join([*package, node.value.lstrip(".")])


def _dotted(text: str) -> bool:
    name = text.partition(":")[0]
    return len(name) < 200 and "." in name and all(part.isidentifier() for part in name.lstrip(".").split("."))
