"""Django projects: which settings, which WSGI or ASGI object, from which folder. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_SETTINGS = re.compile(r"DJANGO_SETTINGS_MODULE[\"']\s*[,\]=:]+\s*[\"']([\w.]+)[\"']")
_WSGI = re.compile(r"^WSGI_APPLICATION\s*=\s*[\"']([\w.]+)\.(\w+)[\"']", re.MULTILINE)
_NOWHERE = frozenset(("project_template", "node_modules", "tests", "bench"))
_LATER = ("tests", "test", "docs", "examples", "example", "demo", "bench", "sandbox")


@dataclass(frozen=True)
class Django:
    """How a project is served. `folder` must be on the path; `factory`: `reference` makes the application."""

    manage: str
    folder: str
    settings: str
    reference: str
    why: str
    asgi: bool = False
    factory: bool = False
    named: bool = True  # the application finds the settings by itself


def project(files: Mapping[str, str]) -> Django | None:
    """The project whose manage.py is nearest to the top."""
    for manage in sorted(_managers(files), key=lambda path: (_for_tests(files[path]), *_rank(path))):
        match = _SETTINGS.search(files[manage])
        if match is None:
            found = _beside(manage, files)
            if found is not None:
                return found
            continue
        for folder in _above(manage):
            path = _path(match[1], folder, files)
            if path:
                return _served(manage, folder, match[1], path, files)
        if (found := _beside(manage, files)) is not None:
            return found
    return None


def _managers(files: Mapping[str, str]) -> Iterator[str]:
    for path in files:
        parts = path.split("/")
        text = files[path]
        another = "flask" in text.lower() and "django" not in text.lower()
        if parts[-1] == "manage.py" and not another and not _NOWHERE & set(parts) and "{{" not in text:
            yield path


def _for_tests(text: str) -> bool:
    """Whether its settings are those of the tests, which no image has."""
    match = _SETTINGS.search(text)
    return match is not None and match[1].partition(".")[0] in ("tests", "test")


def _rank(path: str) -> tuple[int, int, str]:
    return path.count("/"), any(part in _LATER for part in path.split("/")), path


def _above(path: str) -> Iterator[str]:
    """The file's folder, then those that it is in, up to ""."""
    parts = path.split("/")[:-1]
    for count in range(len(parts), -1, -1):
        yield "/".join(parts[:count])


def _path(module: str, folder: str, files: Mapping[str, str]) -> str:
    place = f"{folder}/{module.replace('.', '/')}".lstrip("/")
    return next((path for path in (f"{place}.py", f"{place}/__init__.py") if path in files), "")


def _served(manage: str, folder: str, settings: str, path: str, files: Mapping[str, str]) -> Django:
    package = settings.rpartition(".")[0]
    places = [package, package.rpartition(".")[0]] if package else [""]
    named = _WSGI.search(files[path])
    if named and (place := _path(named[1], folder, files)):
        finds = _finds(files[place], folder, files)
        return Django(manage, folder, settings, f"{named[1]}:{named[2]}", f"{path} names it", named=finds)
    for name in ("wsgi", "asgi"):
        for place in places:
            module = f"{place}.{name}" if place else name
            if at := _path(module, folder, files):
                why, finds = f"{manage} and {module}", _finds(files[at], folder, files)
                return Django(manage, folder, settings, f"{module}:application", why, name == "asgi", named=finds)
    made = "django.core.wsgi:get_wsgi_application"
    return Django(manage, folder, settings, made, f"{manage} names {settings}; there is no wsgi.py", factory=True)


def _finds(application: str, folder: str, files: Mapping[str, str]) -> bool:
    """Whether the settings that a wsgi.py names are there; those of production may well be others than manage.py's."""
    match = _SETTINGS.search(application)
    return match is None or bool(_path(match[1], folder, files))


def _beside(manage: str, files: Mapping[str, str]) -> Django | None:
    """Where manage.py names no settings that are there: a wsgi.py or asgi.py below it."""
    folder = manage.rpartition("/")[0]
    for name in ("wsgi.py", "asgi.py"):
        prefix = f"{folder}/" if folder else ""
        inside = [
            path for path in sorted(files, key=len) if path.startswith(prefix) and f"/{path}".endswith(f"/{name}")
        ]
        if inside:
            module = inside[0].removeprefix(prefix).removesuffix(".py").replace("/", ".")
            return Django(manage, folder, "", f"{module}:application", f"{manage} and {inside[0]}", name == "asgi.py")
    return None
