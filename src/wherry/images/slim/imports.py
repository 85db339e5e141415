"""Which modules Python sources may import: import statements, and strings that name a module. Pure; nothing is run."""

import ast
from collections.abc import Iterator


def mentioned(path: str, text: str, root: str) -> set[str]:
    """Every dotted name that a source imports or has as a string; `root`: the folder that its name is relative to.

    What does not parse counts with all its words.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return {word for word in text.replace("'", " ").replace('"', " ").split() if "." in word}
    return set(_names(tree, _package(path, root)))


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
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and package:
            first = node.value.partition("/")[0]
            if (
                first.isidentifier() and len(first) < 40
            ):  # names of lazy submodules, and paths of data beside the source
                yield ".".join([*package, first])


def _dotted(text: str) -> bool:
    name = text.partition(":")[0]
    return len(name) < 200 and "." in name and all(part.isidentifier() for part in name.lstrip(".").split("."))
