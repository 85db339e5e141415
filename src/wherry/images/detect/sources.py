"""Python sources read as syntax: where the app object is, which routes it has, which port it names. Nothing is run."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

WSGI = {
    "Flask": "flask",
    "APIFlask": "flask",
    "Bottle": "bottle",
    "Falcon": "falcon",
    "Quart": "quart",
    "Dash": "dash",
    "Eve": "flask",
    "FlaskApp": "flask",
}
ASGI = {
    "FastAPI": "fastapi",
    "Starlette": "starlette",
    "Litestar": "litestar",
    "Sanic": "sanic",
    "Quart": "quart",
    "Robyn": "robyn",
    "BlackSheep": "blacksheep",
    "AsyncApp": "starlette",  # connexion's
}
_FACTORY_NAMES = (
    "create_app",
    "make_app",
    "get_app",
    "build_app",
    "app_factory",
    "create_application",
    "get_application",
)
_APPLICATIONS = ("app", "application", "simple_app", "wsgi_app", "asgi_app", "wsgi", "asgi", "main", "handler")
_PATH_DEPTH = 4  # folders below which no app is looked for
_SKIPPED = ("test", "tests", "docs", "doc", "node_modules", "venv", ".venv", "build", "migrations", "site-packages")


@dataclass(frozen=True)
class Place:
    """An app object. `factory`: it is a function that makes one. `prefix` is the folder that must be on the path."""

    path: str
    module: str
    name: str
    framework: str
    factory: bool = False
    prefix: str = ""
    line: int = 0

    @property
    def reference(self) -> str:
        return f"{self.module}:{self.name}"


def modules(files: Mapping[str, str]) -> Iterator[tuple[str, ast.Module]]:
    """The sources that may hold the app, the nearest to the top first; those that do not parse are left out."""
    paths = [path for path in files if path.endswith(".py") and _likely(path)]
    for path in sorted(paths, key=_rank):
        try:
            yield path, ast.parse(files[path])
        except (SyntaxError, ValueError, RecursionError):
            continue


def _likely(path: str) -> bool:
    parts = path.split("/")
    name = parts[-1]
    skipped = any(part.lower() in _SKIPPED or part.startswith(".") for part in parts[:-1])
    return (
        len(parts) <= _PATH_DEPTH
        and not skipped
        and not name.startswith("test_")
        and name not in ("setup.py", "conftest.py")
    )


def _rank(path: str) -> tuple[int, int, str]:
    first = (
        "wsgi.py",
        "asgi.py",
        "app.py",
        "main.py",
        "application.py",
        "server.py",
        "run.py",
        "web.py",
        "__init__.py",
    )
    name = path.rpartition("/")[2]
    examples = path.startswith(("examples/", "example/", "samples/", "demo/"))
    return path.count("/") + 10 * examples, first.index(name) if name in first else len(first), path


def module_name(path: str, files: Mapping[str, str]) -> tuple[str, str]:
    """The dotted name, and the folder that must be on the path for it (src layouts, folders without `__init__`)."""
    parts = path.removesuffix(".py").split("/")
    if parts[-1] == "__init__":
        parts = parts[:-1]
    prefix: list[str] = []
    while len(parts) > 1 and "/".join([*prefix, parts[0], "__init__.py"]) not in files:
        if prefix == [] and parts[0] not in ("src", "backend", "server", "api", "app", "web"):
            break  # a namespace package from the root
        prefix.append(parts.pop(0))
    return ".".join(parts), "/".join(prefix)


def apps(files: Mapping[str, str]) -> Iterator[Place]:
    """App objects and factories, the likeliest first: objects before factories."""
    factories: list[Place] = []
    for path, tree in modules(files):
        module, prefix = module_name(path, files)
        if not module:
            continue
        makers = dict(_functions(tree))
        for name, framework, line in _assigned(tree, makers):
            yield Place(path, module, name, framework, False, prefix, line)
        for name, framework in _callables(tree):
            if name not in _APPLICATIONS:
                continue  # a helper of a framework's, called with the same arguments
            yield Place(path, module, name, framework, False, prefix)
        for name, framework in makers.items():
            if framework and (name in _FACTORY_NAMES or name.endswith("_app")):
                factories.append(Place(path, module, name, framework, True, prefix))
    yield from factories


def _functions(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Functions at the top that need no argument, with the framework of the app that they make ("" if none)."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    makes = {
        node.name: next((made for inner in ast.walk(node) if (made := _framework(inner))), "") for node in functions
    }
    for node in functions:
        if len(node.args.args) == len(node.args.defaults):
            calls = (last_name(inner.func) for inner in ast.walk(node) if isinstance(inner, ast.Call))
            yield node.name, makes[node.name] or next((made for name in calls if (made := makes.get(name, ""))), "")


def _callables(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Functions at the top that are applications themselves, by what they are called with."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [argument.arg for argument in node.args.args]
            if names in (["environ", "start_response"], ["env", "start_response"]):
                yield node.name, "wsgi"
            if names == ["scope", "receive", "send"]:
                yield node.name, "asgi"


def _assigned(tree: ast.Module, makers: Mapping[str, str]) -> Iterator[tuple[str, str, int]]:
    for node in top(tree.body):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        framework = _framework(node.value)
        called = node.value.func if isinstance(node.value, ast.Call) else None
        name = last_name(called) if called is not None else ""
        if not framework and name:
            framework = makers.get(name, "")
            if not framework and (name in _FACTORY_NAMES or name in ("get_wsgi_application", "get_asgi_application")):
                framework = {"get_wsgi_application": "django", "get_asgi_application": "django-asgi"}.get(
                    name, "factory"
                )
        if framework:
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, framework, node.lineno


def top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported; those under `if __name__ == "__main__"` do not."""
    for node in body:
        if isinstance(node, ast.If) and "__name__" in ast.dump(node.test):
            continue
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from top([*node.body, *node.orelse])
        elif isinstance(node, ast.With):
            yield from top(node.body)


def _framework(node: ast.AST) -> str:
    """The framework of which a call makes an app."""
    if not isinstance(node, ast.Call):
        return ""
    name = last_name(node.func)
    owner = last_name(node.func.value) if isinstance(node.func, ast.Attribute) else ""
    if name == "Application" and owner in ("web", "tornado"):
        return "aiohttp" if owner == "web" else "tornado"
    if name == "App" and owner == "falcon":
        return "falcon"
    if name == "App" and owner == "asgi":
        return "falcon-asgi"
    return ASGI.get(name, "") or WSGI.get(name, "")


def last_name(node: ast.AST | None) -> str:
    """`b` of `a.b`, and of `b`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def imports(tree: ast.Module) -> set[str]:
    """The top-level names of what a module imports."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def port_of(tree: ast.Module) -> tuple[int, int] | None:
    """A port that the script itself binds, with its line: `app.run(port=5001)`, `web.run_app(app, port=8081)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and last_name(node.func) in (
            "run",
            "run_app",
            "serve",
            "serve_forever",
            "listen",
        ):
            for keyword in node.keywords:
                if (
                    keyword.arg == "port"
                    and isinstance(keyword.value, ast.Constant)
                    and isinstance(keyword.value.value, int)
                ):
                    return keyword.value.value, node.lineno
            for argument in node.args[:1]:
                if (
                    last_name(node.func) == "listen"
                    and isinstance(argument, ast.Constant)
                    and isinstance(argument.value, int)
                ):
                    return argument.value, node.lineno
    return None


def runs_itself(tree: ast.Module) -> bool:
    """Whether running the file starts something."""
    return any(isinstance(node, ast.If) and "__name__" in ast.dump(node.test) for node in tree.body)
