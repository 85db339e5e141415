"""Python apps: which server starts which object, on which port. Pure."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from wherry.images.detect import django, imported, paste, program, sources, state
from wherry.images.detect.found import App, Dependencies, Reason, Unclear
from wherry.images.detect.program import Program
from wherry.images.detect.requirements import dependencies, python_version
from wherry.images.detect.sources import Place
from wherry.images.distributions import normalized

_MARKS = ("requirements.txt", "pyproject.toml", "Pipfile", "Pipfile.lock", "setup.py", "manage.py", "requirements")
_ASGI = frozenset(("fastapi", "starlette", "litestar", "quart", "django-asgi", "falcon-asgi", "blacksheep", "asgi"))
_ITSELF = frozenset(("aiohttp", "tornado", "sanic", "robyn"))  # their apps are started by running a script
_PORTS = {"streamlit": 8501, "aiohttp": 8080, "tornado": 8888, "gradio": 7860, "nicegui": 8080, "panel": 5006}
_HEAVY = frozenset(
    ("pandas", "numpy", "scipy", "bokeh", "streamlit", "gradio", "torch", "matplotlib", "polars", "mlflow")
)
_THREADS = "8"
HEALTH = ("/healthz", "/health", "/readyz", "/livez", "/ping", "/status")


def speaks(files: Mapping[str, str]) -> bool:
    """Whether the folder is a Python project."""
    if any(mark in files for mark in _MARKS) or any(path.endswith(".py") and "/" not in path for path in files):
        return True
    others = ("package.json", "go.mod", "index.html")
    return not any(one in files for one in others) and any(re.fullmatch(r"\w+/__init__\.py", one) for one in files)


def detect(files: Mapping[str, str], web: Sequence[str]) -> App:
    """Raises Unclear where no app object or script is found."""
    needs, how = dependencies(files)
    if needs.manager == "none" and (names := imported.packages(files)):
        needs = replace(needs, manager="imports", names=frozenset(names))
        how = Reason(f"packages {' '.join(names)}", "the modules import them; nothing says which versions")
    if needs.manager != "pyproject" and program.asks_for_itself(files):
        needs = replace(needs, itself=True)
    version, asked = python_version(files)
    reasons = [how, Reason(f"Python {version}", asked)]
    if web:
        return _from_procfile(files, web, needs, version, reasons)
    for found in (_streamlit, _django, _paste, _own_program, _object, _script, _any_program):
        app = found(files, needs, version, reasons)
        if app is not None:
            return _with_memory(_with_state(app, files))
    raise Unclear(
        "no web app was found in these Python files: no Flask, FastAPI, Starlette, Django, aiohttp, Streamlit or other "
        "app object at the top of a module, no create_app(), no manage.py, no Procfile, and no console script with an "
        "option for the address. Name the command in wherry.toml: "
        'command = ["gunicorn", "--bind", "0.0.0.0:8000", "package.module:app"]'
    )


def _with_state(app: App, files: Mapping[str, str]) -> App:
    """What keeps its data beside its sources, and by which of its own commands that is made."""
    if app.framework == "django":
        return app
    writes = app.writes or state.beside(files)
    return replace(app, writes=writes, prepare=state.commands(app, files) if writes else ())


def _with_memory(app: App) -> App:
    heavy = sorted(app.dependencies.names & _HEAVY)
    if not heavy:
        return app
    return replace(app, memory="768Mi", reasons=[*app.reasons, Reason("768Mi of memory", f"{', '.join(heavy)}")])


def _from_procfile(
    files: Mapping[str, str], web: Sequence[str], needs: Dependencies, version: str, reasons: list[Reason]
) -> App:
    words = [word.replace("${PORT}", "8000").replace("$PORT", "8000") for word in web]
    server = words[0].rpartition("/")[2]
    if server == "gunicorn" and not any(word.startswith(("-b", "--bind")) for word in words):
        words[1:1] = ["--bind", "0.0.0.0:8000"]
    if server == "uvicorn" and "--host" not in words:
        words += ["--host", "0.0.0.0", "--port", "8000"]
    extra = _missing(needs, [server] if server in ("gunicorn", "uvicorn", "daphne", "hypercorn") else [])
    reasons = [*reasons, Reason("command", "the Procfile's web line")]
    return App(
        "python", _framework(files, needs), words, 8000, needs, version, extra, {"PORT": "8000"}, reasons=reasons
    )


def _framework(files: Mapping[str, str], needs: Dependencies) -> str:
    known = ("django", "fastapi", "flask", "starlette", "streamlit", "aiohttp", "quart", "bottle", "falcon", "tornado")
    return next((name for name in known if name in needs.names), "python")


def _streamlit(files: Mapping[str, str], needs: Dependencies, version: str, reasons: list[Reason]) -> App | None:
    if "streamlit" not in needs.names:
        return None
    scripts = [path for path, tree in sources.modules(files) if "streamlit" in sources.imports(tree)]
    preferred = ("streamlit_app.py", "app.py", "main.py", "Home.py")
    scripts.sort(
        key=lambda path: (path.count("/"), preferred.index(path) if path in preferred else len(preferred), path)
    )
    if not scripts:
        return None
    command = ["streamlit", "run", scripts[0], "--server.address", "0.0.0.0", "--server.port", "8501"]
    command += ["--server.headless", "true", "--browser.gatherUsageStats", "false"]
    reasons = [*reasons, Reason(f"Streamlit, {scripts[0]}", "it imports streamlit")]
    return App("python", "streamlit", command, 8501, needs, version, health="/_stcore/health", reasons=reasons)


def _django(files: Mapping[str, str], needs: Dependencies, version: str, reasons: list[Reason]) -> App | None:
    found = django.project(files)
    if found is None:
        return None
    server = "uvicorn" if found.asgi else "gunicorn"
    command = _serve(found.reference, asgi=found.asgi, factory=found.factory, prefix=found.folder)
    before = [["python", found.manage, "collectstatic", "--noinput"]] if _serves_static(found, files) else []
    writes = state.django(found, files)
    prepare = [["python", found.manage, "migrate", "--noinput"]] if writes else []
    environment = {"DJANGO_SETTINGS_MODULE": found.settings} if found.factory or not found.named else {}
    beside = f"{found.manage.rpartition('/')[0]}/requirements.txt".lstrip("/")
    if needs.manager == "pyproject" and beside in files:
        needs = replace(needs, also=beside)
    reasons = [*reasons, Reason(f"Django, {found.reference}", found.why)]
    jinja = any("template.backends.jinja2" in files[path] for path in state.settings(found, files))
    extra = _missing(needs, [server, *(["jinja2"] if jinja else [])])
    return App(
        *("python", "django", command, 8000, needs, version, extra, environment, before),
        writes=writes,
        prepare=prepare,
        reasons=reasons,
    )


def _paste(files: Mapping[str, str], needs: Dependencies, version: str, reasons: list[Reason]) -> App | None:
    """Pyramid's way: the file names the app by the entry points of the folder's own distribution."""
    found = paste.configuration(files)
    if found is None or needs.manager == "none":
        return None
    needs = replace(needs, itself=needs.manager != "pyproject")
    command = [*_serve(found.file, asgi=False)[:-1], "--paste", found.file]
    what = Reason(f"Paste, {found.file}", "its main app")
    extra = [*_missing(needs, ["gunicorn"]), *(one for one in found.includes if normalized(one) not in needs.names)]
    framework = "pyramid" if "pyramid" in needs.names else "paste"
    return App("python", framework, command, 8000, needs, version, extra, reasons=[*reasons, what])


def _own_program(files: Mapping[str, str], needs: Dependencies, version: str, reasons: list[Reason]) -> App | None:
    """The distribution's own server, where it is called like the distribution or has no application object."""
    found = program.program(files)
    if found is None or not program.called_like(found.name, files):
        return None
    return _program(found, files, needs, version, reasons)


def _any_program(files: Mapping[str, str], needs: Dependencies, version: str, reasons: list[Reason]) -> App | None:
    found = program.program(files)
    return _program(found, files, needs, version, reasons) if found is not None else None


def _program(found: Program, files: Mapping[str, str], needs: Dependencies, version: str, reasons: list[Reason]) -> App:
    """Its script is there once the distribution is installed."""
    needs = replace(needs, itself=needs.manager != "pyproject")
    what = [*reasons, Reason(" ".join(found.command), found.why)]
    return App("python", _framework(files, needs), found.command, found.port, needs, version, reasons=what)


def _serves_static(found: django.Django, files: Mapping[str, str]) -> bool:
    """Whether collected files are needed: for whitenoise, or by a storage that looks them up in a manifest."""
    settings = [files[path] for path in state.settings(found, files)]
    return any("STATIC_ROOT" in text for text in settings) and any(
        name in text.lower() for text in settings for name in ("whitenoise", "manifeststatic")
    )


def _object(files: Mapping[str, str], needs: Dependencies, version: str, reasons: list[Reason]) -> App | None:
    """An app object or a factory that a server is given."""
    trees = dict(sources.modules(files))
    for place in sources.apps(files):
        framework = place.framework
        if framework == "factory":
            framework = _framework(files, needs)
        if framework in _ITSELF:
            app = _itself(place, trees, needs, version, reasons)
            if app is not None:
                return app
            continue
        asgi = framework in _ASGI
        name = f"{place.name}.server" if framework == "dash" else place.name
        reference = f"{place.module}:{name}"
        command = _serve(reference, asgi=asgi, factory=place.factory, prefix=place.prefix)
        what = Reason(f"{framework}, {reference}", f"{place.path}{f', line {place.line}' if place.line else ''}")
        health = _health(trees)
        server = "uvicorn" if asgi else "gunicorn"
        port = 8000
        reasons = [*reasons, what, Reason(f"port {port}", f"what {server} is told")]
        if health:
            reasons.append(Reason(f"health {health}", "a route of that name"))
        extra = _missing(needs, [server])
        return App("python", framework, command, port, needs, version, extra, health=health, reasons=reasons)
    return None


def _itself(
    place: Place, trees: Mapping[str, ast.Module], needs: Dependencies, version: str, reasons: list[Reason]
) -> App | None:
    """A framework with a server of its own: the script that runs it."""
    scripts = [path for path in (place.path, *trees) if path in trees and sources.runs_itself(trees[path])]
    if place.framework == "aiohttp" and not scripts:
        command = ["python", "-m", "aiohttp.web", "-H", "0.0.0.0", "-P", "8080", place.reference]
        what = [*reasons, Reason(f"aiohttp, {place.reference}", place.path)]
        return App("python", "aiohttp", command, 8080, needs, version, reasons=what) if place.factory else None
    if not scripts:
        return None
    bound = next((found for path in scripts if (found := sources.port_of(trees[path]))), None)
    port = bound[0] if bound else _PORTS.get(place.framework, 8000)
    what = [*reasons, Reason(f"{place.framework}, {scripts[0]}", "it runs the app's own server")]
    return App("python", place.framework, ["python", scripts[0]], port, needs, version, reasons=what)


def _script(files: Mapping[str, str], needs: Dependencies, version: str, reasons: list[Reason]) -> App | None:
    """A script at the top that binds a port by itself: http.server, wsgiref, cherrypy, gradio, nicegui."""
    servers = {
        "http",
        "wsgiref",
        "cherrypy",
        "gradio",
        "nicegui",
        "waitress",
        "socketserver",
        "panel",
        "web",
        "cheroot",
    }
    for path, tree in sources.modules(files):
        used = sources.imports(tree) & servers
        if "/" not in path and used and (sources.runs_itself(tree) or sources.port_of(tree)):
            bound = sources.port_of(tree)
            name = min(used)
            port = bound[0] if bound else _PORTS.get(name, 8000)
            what = [*reasons, Reason(f"{name}, {path}", "it runs a server")]
            return App("python", name, ["python", path], port, needs, version, reasons=what)
    return None


def _serve(reference: str, *, asgi: bool, factory: bool = False, prefix: str = "") -> list[str]:
    """The server's command: one worker with threads in each replica, as replicas are what scales."""
    if asgi:
        command = ["uvicorn", "--host", "0.0.0.0", "--port", "8000"]
        command += ["--factory"] if factory else []
        return [*command, *(["--app-dir", prefix] if prefix else []), reference]
    command = ["gunicorn", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--threads", _THREADS]
    command += ["--worker-tmp-dir", "/dev/shm", "--access-logfile", "-"]
    return [*command, *(["--chdir", prefix] if prefix else []), f"{reference}()" if factory else reference]


def _missing(needs: Dependencies, servers: Sequence[str]) -> list[str]:
    return [server for server in servers if server not in needs.names]


def _health(trees: Mapping[str, ast.Module]) -> str:
    """A route whose name says that it is there to be asked."""
    routed = {path for tree in trees.values() for path in _routes(tree)}
    return next((path for wanted in HEALTH for path in (wanted, f"{wanted}/") if path in routed), "")


def _routes(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            names = ("route", "get", "post", "add_url_rule", "add_get", "add_api_route")
            first = node.args[0] if node.args else None
            if node.func.attr in names and isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value
