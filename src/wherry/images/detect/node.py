"""Node apps: package.json's start script, and which package manager its lock file is of. Pure."""

import json
import re
from collections.abc import Mapping, Sequence

from wherry.images.detect.found import App, Dependencies, Reason, Unclear

_LOCKS = (
    ("package-lock.json", "npm"),
    ("yarn.lock", "yarn"),
    ("pnpm-lock.yaml", "pnpm"),
    ("npm-shrinkwrap.json", "npm"),
)
_FRAMEWORKS = {
    "next": 3000,
    "nuxt": 3000,
    "express": 3000,
    "fastify": 3000,
    "koa": 3000,
    "@nestjs/core": 3000,
    "hono": 3000,
}
_DEFAULT = "24"


def detect(files: Mapping[str, str], web: Sequence[str]) -> App:
    """Raises Unclear where package.json cannot be read or starts nothing."""
    try:
        package = json.loads(files["package.json"])
    except json.JSONDecodeError as error:
        raise Unclear(f"package.json:{error.lineno}: this is no JSON: {error.msg}") from None
    names = frozenset(package.get("dependencies") or {})
    lock, manager = next(((path, by) for path, by in _LOCKS if path in files), ("", "npm"))
    scripts = package.get("scripts") or {}
    framework = next((name for name in _FRAMEWORKS if name in names), "node")
    reasons = [Reason(manager, lock or "package.json, no lock")]
    if web:
        command, why = list(web), "the Procfile's web line"
    elif "start" in scripts:
        command, why = _direct(str(scripts["start"])), "package.json's start script"
    elif "main" in package or "index.js" in files or "server.js" in files:
        main = str(package.get("main") or next(path for path in ("server.js", "index.js") if path in files))
        command, why = ["node", main], "package.json's main"
    else:
        raise Unclear(
            'package.json has neither a "start" script nor a "main": add "scripts": {"start": "node server.js"}'
        )
    port = _port(files, framework)
    reasons += [Reason(" ".join(command), why), Reason(f"port {port}", "PORT is set to it")]
    needs = Dependencies(manager, "package.json", lock, names)
    before = [[manager, "run", "build"]] if "build" in scripts else []
    version = _version(files, package)
    environment = {"PORT": str(port), "NODE_ENV": "production", "HOSTNAME": "0.0.0.0"}
    return App("node", framework, command, port, needs, version, (), environment, before, reasons=reasons)


def _direct(script: str) -> list[str]:
    """Without npm in between, which keeps SIGTERM to itself, where the script is a plain command."""
    words = script.split()
    if words[:1] == ["node"] and not re.search(r"[&|;<>$`\"']", script):
        return words
    return ["npm", "start"]


def _port(files: Mapping[str, str], framework: str) -> int:
    sources = [text for path, text in files.items() if path.endswith((".js", ".ts", ".mjs")) and path.count("/") < 2]
    for text in sources:
        match = re.search(r"\.listen\(\s*(\d{2,5})\b", text) or re.search(
            r"PORT\s*(?:\|\||\?\?)\s*[\"']?(\d{2,5})", text
        )
        if match:
            return int(match[1])
    return _FRAMEWORKS.get(framework, 3000)


def _version(files: Mapping[str, str], package: Mapping[str, object]) -> str:
    engines = package.get("engines")
    asked = str(engines.get("node", "")) if isinstance(engines, dict) else ""
    for text in (files.get(".nvmrc", ""), files.get(".node-version", ""), asked):
        match = re.search(r"(\d+)", text)
        if match:
            return str(max(int(match[1]), 20))
    return _DEFAULT
