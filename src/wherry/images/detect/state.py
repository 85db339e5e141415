"""Whether an app writes into its own folder: SQLite files and Flask's instance folder are made there. Pure."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

from wherry.images.detect import sources
from wherry.images.detect.django import Django
from wherry.images.detect.found import App

_SQLITE_URL = re.compile(r"sqlite(?:\+\w+)?:///(?!/|:memory:|[\"'?]|tmp/)[\w.{%]")
_DJANGO_SQLITE = re.compile(r"django\.db\.backends\.sqlite3|spatialite|sqlite:///")
_MOST_SETTINGS = 8
_MAKES_TABLES = ("init-db", "initdb", "init_db", "create-db", "create_db", "createdb")


def django(found: Django, files: Mapping[str, str]) -> str:
    """The settings that name SQLite, "" if none do."""
    return next((f"{path} names SQLite" for path in settings(found, files) if _on_disk(files[path])), "")


def settings(found: Django, files: Mapping[str, str]) -> list[str]:
    """The settings in use: the module that is named, and those of its package that it takes in."""
    prefix = f"{found.folder}/" if found.folder else ""
    if not found.settings:
        return [path for path in sorted(files, key=len) if path.startswith(prefix) and path.endswith("settings.py")]
    place = f"{prefix}{found.settings.replace('.', '/')}"
    used = [path for path in (f"{place}.py", f"{place}/__init__.py") if path in files]
    for path in used[:_MOST_SETTINGS]:
        package = path.rpartition("/")[0]
        for name in re.findall(r"^\s*from [\w.]*\.(\w+) import", files[path], re.MULTILINE):
            near = f"{package}/{name}.py".lstrip("/")
            used += [near] if near in files and near not in used else []
    return used


def _on_disk(text: str) -> bool:
    return bool(_DJANGO_SQLITE.search(text)) and not re.search(r"[\"']NAME[\"']: *[\"']:memory:", text)


def beside(files: Mapping[str, str]) -> str:
    """What of the sources says that data is kept beside them, "" if nothing does."""
    for path, tree in sources.modules(files):
        made = {id(node) for node in _imported(tree.body) if _makes_directory(node)}
        for node in ast.walk(tree):
            if why := "a directory, made on import" if id(node) in made else _kept(node):
                return f"{path}, line {getattr(node, 'lineno', 1)}: {why}"
    return ""


def _imported(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """What runs when the module is imported."""
    for statement in sources.top(list(body)):
        if isinstance(statement, ast.Expr | ast.Assign):
            yield statement.value


def _makes_directory(node: ast.AST) -> bool:
    """Whether it makes one that is not of the system's."""
    if not isinstance(node, ast.Call) or sources.last_name(node.func) not in ("makedirs", "mkdir"):
        return False
    texts = (one.value for one in ast.walk(node) if isinstance(one, ast.Constant))
    names = {sources.last_name(one) for one in ast.walk(node)}
    absolute = any(isinstance(text, str) and text.startswith("/") for text in texts)
    return not absolute and not names & {"gettempdir", "expanduser", "home", "user_data_dir"}


def _kept(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 500:
        return "SQLite in a file" if _SQLITE_URL.match(node.value) else ""
    if isinstance(node, ast.Call):
        if any(
            word.arg == "instance_relative_config" and isinstance(word.value, ast.Constant) and word.value.value is True
            for word in node.keywords
        ):
            return "Flask's instance folder"
        first = node.args[0] if node.args else None
        named = isinstance(first, ast.Constant) and isinstance(first.value, str)
        if sources.last_name(node.func) == "connect" and named and isinstance(node.func, ast.Attribute):
            value = str(first.value) if isinstance(first, ast.Constant) else ""
            if sources.last_name(node.func.value).startswith("sqlite") and value and value[0] not in ":/":
                return "SQLite in a file"
    return ""


def commands(app: App, files: Mapping[str, str]) -> Sequence[Sequence[str]]:
    """The app's own command that makes its tables, where it has one: a copy of its folder has none yet."""
    if app.framework != "flask" or "gunicorn" not in app.command[0]:
        return ()
    reference = app.command[-1].removesuffix("()")
    named = next((name for path, tree in sources.modules(files) for name in _clicked(tree)), "")
    return [["flask", "--app", reference, named]] if named else []


def _clicked(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and sources.last_name(call.func) == "command":
                    first = call.args[0] if call.args else None
                    name = first.value if isinstance(first, ast.Constant) else node.name.replace("_", "-")
                    if name in _MAKES_TABLES:
                        yield str(name)
