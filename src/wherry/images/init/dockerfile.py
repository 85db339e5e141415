"""A Dockerfile for an app: dependencies in a first stage, nothing but what runs in the last. Pure."""

from collections.abc import Sequence

import orjson

from wherry.images.detect.found import App

USER = "10001:10001"
SERVERS = {
    "gunicorn": "gunicorn>=23,<24",
    "uvicorn": "uvicorn>=0.35,<1",
    "daphne": "daphne>=4,<5",
    "hypercorn": "hypercorn>=0.17,<1",
}
_PIP = "pip --python /opt/venv/bin/python install"
_COMPILE = """python -c 'import os, sys; sys.exit(os.path.exists(os.__cached__))' \\
 && python -m compileall -q -j 0 "$(python -c 'import os; print(os.path.dirname(os.__file__))')\" ; \\
    python -m compileall -q -j 0 /app || true"""
_OWN_BASE = "localhost/wherry/python:"
_PIP_CACHE = "--mount=type=cache,target=/root/.cache/pip"


def dockerfile(app: App, base: str = "") -> str:
    """The file's text. `base` replaces the official image of the language (for Python and Node)."""
    writer = {"python": _python, "node": _node, "go": _go, "static": _static}[app.language]
    return "\n".join(writer(app, base)) + "\n"


def _python(app: App, base: str) -> list[str]:
    image = base or f"python:{app.version}-slim"
    runtime = f"{image}-runtime" if image.startswith(_OWN_BASE) and not image.endswith("-runtime") else image
    settings = ["PATH=/opt/venv/bin:$PATH", "PYTHONUNBUFFERED=1", "HOME=/tmp"]  # the user has no home
    settings += [f"{name}={_quoted(value)}" for name, value in sorted(app.environment.items())]
    collected = [f"RUN {' '.join(words)}" for words in app.before]
    return [
        "# Dependencies, in an environment that the last stage takes over. Their layer changes only when they do.",
        f"FROM {image} AS build",
        "WORKDIR /app",
        "ENV PATH=/opt/venv/bin:$PATH",
        "RUN python3 -m venv --without-pip /opt/venv",
        *_installs(app),
        *_itself(app),
        "",
        "# What runs: the environment, the app, and bytecode for both and for the standard library.",
        f"FROM {runtime}",
        f"ENV {' '.join(settings)}",
        "WORKDIR /app",
        "COPY --from=build /opt/venv /opt/venv",
        "COPY . .",
        *collected,
        f"RUN {_COMPILE}",
        "# A number, so that a cluster can verify that it is not root.",
        f"USER {USER}",
        f"EXPOSE {app.port}",
        f"CMD {_words(app.command)}",
    ]


def _itself(app: App) -> list[str]:
    """The distribution that the folder is; a lock has said already what it needs."""
    if not app.dependencies.itself:
        return []
    return ["COPY . .", f"RUN {_PIP_CACHE} {_PIP} {'--no-deps ' if app.dependencies.lock else ''}."]


def _installs(app: App) -> list[str]:
    """The steps that fill /opt/venv."""
    needs = app.dependencies
    extra = " ".join(f'"{SERVERS.get(name, name)}"' for name in app.extra)
    added = [f"RUN {_PIP_CACHE} {_PIP} {extra}"] if extra else []
    if needs.manager == "requirements":
        folder = needs.file.rpartition("/")[0]
        copied = f"COPY {folder} {folder}" if folder else f"COPY {needs.file} ./"
        return [copied, f"RUN {_PIP_CACHE} {_PIP} -r {needs.file}{f' {extra}' if extra else ''}"]
    if needs.manager == "uv":
        settings = "UV_PROJECT_ENVIRONMENT=/opt/venv UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never"
        sync = "RUN --mount=type=cache,target=/root/.cache/uv uv sync --frozen --no-dev"
        return [
            f'RUN {_PIP_CACHE} pip install --target /opt/uv "uv>=0.9,<1"',
            f"ENV {settings} PATH=/opt/uv/bin:/opt/venv/bin:$PATH PYTHONPATH=/opt/uv",
            "COPY pyproject.toml uv.lock ./",
            f"{sync} --no-install-project",
            *([f"RUN uv pip install --python /opt/venv/bin/python {extra}"] if extra else []),
        ]
    if needs.manager in ("poetry", "pdm", "pipenv"):
        exports = {
            "poetry": ('"poetry>=2,<3" "poetry-plugin-export>=1.9,<2"', "poetry export -o /tmp/locked.txt"),
            "pdm": ('"pdm>=2,<3"', "pdm export --prod -f requirements -o /tmp/locked.txt"),
            "pipenv": ('"pipenv>=2025"', "pipenv requirements > /tmp/locked.txt"),
        }
        tool, export = exports[needs.manager]
        return [
            f"RUN {_PIP_CACHE} python3 -m venv /opt/tool && /opt/tool/bin/pip install {tool}",
            f"COPY {needs.file} {needs.lock} ./",
            f"RUN {_PIP_CACHE} PATH=/opt/tool/bin:$PATH {export} && {_PIP} -r /tmp/locked.txt",
            *added,
        ]
    if needs.manager == "imports":
        wanted = " ".join(sorted({*needs.names, *(SERVERS.get(name, name) for name in app.extra)} - set(app.extra)))
        words = " ".join(f'"{word}"' if "<" in word else word for word in wanted.split())
        return [f"RUN {_PIP_CACHE} {_PIP} {words}"]
    if needs.manager == "pyproject":
        also = f" -r {needs.also}" if needs.also else ""
        return ["COPY . .", f"RUN {_PIP_CACHE} {_PIP} .{also}{f' {extra}' if extra else ''}"]
    return added


def _node(app: App, base: str) -> list[str]:
    image = base or f"node:{app.version}-slim"
    needs = app.dependencies
    install = {
        "npm": f"npm {'ci' if needs.lock else 'install'}",
        "yarn": "corepack enable && yarn install --immutable",
        "pnpm": "corepack enable && pnpm install --frozen-lockfile",
    }[needs.manager]
    prune = {"npm": "npm prune --omit=dev", "yarn": "", "pnpm": "pnpm prune --prod"}[needs.manager]
    settings = " ".join(f"{name}={_quoted(value)}" for name, value in sorted(app.environment.items()))
    return [
        "# Dependencies and build.",
        f"FROM {image} AS build",
        "WORKDIR /app",
        f"COPY package.json {needs.lock} ./".replace("  ", " "),
        f"RUN --mount=type=cache,target=/root/.npm {install}",
        "COPY . .",
        *[f"RUN {' '.join(words)}" for words in app.before],
        *([f"RUN {prune}"] if prune else []),
        "",
        f"FROM {image}",
        f"ENV {settings}",
        "WORKDIR /app",
        "COPY --from=build /app /app",
        f"USER {USER}",
        f"EXPOSE {app.port}",
        f"CMD {_words(app.command)}",
    ]


def _go(app: App, base: str) -> list[str]:
    settings = " ".join(f"{name}={_quoted(value)}" for name, value in sorted(app.environment.items()))
    modules = " ".join(filter(None, (app.dependencies.file, app.dependencies.lock)))
    return [
        f"FROM {base or f'golang:{app.version or 1.25}'} AS build",
        "WORKDIR /src",
        f"COPY {modules} ./",
        "RUN go mod download",
        "COPY . .",
        *[f"RUN CGO_ENABLED=0 {_shell(words)}" for words in app.before],
        "",
        "# Nothing but the program and the certificates that its HTTPS clients need.",
        "FROM scratch",
        "COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/",
        "COPY --from=build /app /app",
        f"ENV {settings}",
        f"USER {USER}",
        f"EXPOSE {app.port}",
        f"CMD {_words(app.command)}",
    ]


def _static(app: App, base: str) -> list[str]:
    return [
        f"FROM {base or 'busybox:1.37'}",
        f"COPY {app.dependencies.file or '.'} /site",
        f"USER {USER}",
        f"EXPOSE {app.port}",
        f"CMD {_words(app.command)}",
    ]


def _words(command: Sequence[str]) -> str:
    return orjson.dumps(list(command)).decode().replace('","', '", "')


def _shell(words: Sequence[str]) -> str:
    return " ".join(f'"{word}"' if " " in word else word for word in words)


def _quoted(value: str) -> str:
    return f'"{value}"' if any(letter in value for letter in " \t\"'") else value
