"""What an app's folder says of itself: framework, port, health path, user. Each finding with its reason. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

DEFAULT_PORT = 8000
HEALTH_PATHS = ("/healthz", "/health", "/readyz", "/ready", "/up", "/livez", "/ping", "/status")

FRAMEWORKS: Mapping[str, int] = {
    "flask": 5000,
    "django": 8000,
    "fastapi": 8000,
    "starlette": 8000,
    "streamlit": 8501,
    "aiohttp": 8080,
    "tornado": 8888,
    "sanic": 8000,
    "bottle": 8080,
    "gunicorn": 8000,
    "uvicorn": 8000,
}
"""Requirement -> the port that it listens on when nobody says another."""

_PORT_PATTERNS = (
    (re.compile(r"(?:--bind|-b)[ =,\"']+(?:[\w.\[\]:*]*:)?(\d{2,5})\b"), "binds to it"),
    (re.compile(r"--(?:server\.)?port[ =,\"']+(\d{2,5})\b"), "names it"),
    (re.compile(r"runserver[\"', ]+(?:[\d.]+:)?(\d{2,5})\b"), "names it"),
    (re.compile(r"http\.server[\"', ]+(\d{2,5})\b"), "names it"),
)
_COMMAND_PORT = re.compile(
    r"(?:(?<!\S)-b|--[\w-]*(?:bind|hosts?|listen|address))[ =](?:[\w.\[\]:*]*:)(\d{2,5})\b|--[\w.-]*port[ =](\d{2,5})\b"
)
_SOURCE_PORT = re.compile(r"\b(?:app\.run|uvicorn\.run|run_app|serve|\.listen)\(.*?\bport\s*=\s*(\d{2,5})", re.DOTALL)


@dataclass(frozen=True)
class Found:
    """A finding and why it is believed."""

    value: str
    why: str

    def __str__(self) -> str:
        return f"{self.value} ({self.why})"


@dataclass(frozen=True)
class Detected:
    """Everything that was found; None where nothing was."""

    framework: Found | None = None
    port: Found | None = None
    health: Found | None = None
    user: str = ""  # of the image, as the Dockerfile's last stage says; "" is root

    @property
    def numeric_user(self) -> bool:
        """The kubelet can tell that the image's user is not root."""
        return self.user.partition(":")[0].isdigit() and int(self.user.partition(":")[0]) > 0


def detect(files: Mapping[str, str], dockerfile: str = "Dockerfile") -> Detected:
    """What `files` (path -> text) tell."""
    stage = last_stage(files.get(dockerfile, ""))
    framework = _framework(files)
    return Detected(framework, _port(files, stage, framework), _health(files, framework), _last(stage, "USER"))


def command_port(words: Sequence[str]) -> int:
    """The port that a command is told to bind, 0 if it does not say."""
    match = _COMMAND_PORT.search(" ".join(words))
    return int(match[1] or match[2]) if match else 0


def last_stage(dockerfile: str) -> list[tuple[str, str]]:
    """(instruction, rest) of the stage that becomes the image, with what it takes over from stages it is built from."""
    stages: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    for instruction, rest in _instructions(dockerfile):
        if instruction == "FROM":
            words = [word for word in rest.split() if not word.startswith("--")]
            current = list(stages.get(words[0].lower(), ())) if words else []
            if len(words) == 3 and words[1].lower() == "as":
                stages[words[2].lower()] = current
        else:
            current.append((instruction, rest))
    return current


def _instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    whole = ""
    for line in dockerfile.splitlines():
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        whole += text.removesuffix("\\") + " "
        if not text.endswith("\\"):
            instruction, _, rest = whole.strip().partition(" ")
            yield instruction.upper(), rest.strip()
            whole = ""


def _last(stage: Sequence[tuple[str, str]], instruction: str) -> str:
    return next((rest for name, rest in reversed(stage) if name == instruction), "")


def _framework(files: Mapping[str, str]) -> Found | None:
    for path in ("requirements.txt", "pyproject.toml", "Pipfile", "setup.cfg", "setup.py"):
        names = set(re.findall(r"[a-z0-9][a-z0-9._-]*", files.get(path, "").lower()))
        for framework in FRAMEWORKS:
            if framework in names:
                return Found(framework, f"{path} names it")
    return Found("node", "package.json") if "package.json" in files else None


def _port(files: Mapping[str, str], stage: Sequence[tuple[str, str]], framework: Found | None) -> Found | None:
    exposed = re.match(r"(\d+)(?:/tcp)?\b", _last(stage, "EXPOSE"))
    if exposed:
        return Found(exposed[1], "the Dockerfile's EXPOSE")
    commands = [(f"the Dockerfile's {name}", rest) for name, rest in stage if name in ("CMD", "ENTRYPOINT")]
    for where, text in (*reversed(commands), ("Procfile", files.get("Procfile", ""))):
        for pattern, says in _PORT_PATTERNS:
            if match := pattern.search(text):
                return Found(match[1], f"{where} {says}")
    for path, text in sorted(files.items()):
        if path.endswith(".py") and (match := _SOURCE_PORT.search(text)):
            return Found(match[1], f"{path} listens there")
    variables = re.search(r"\bPORT[= ](\d{2,5})\b", " ".join(rest for name, rest in stage if name == "ENV"))
    if variables:
        return Found(variables[1], "the Dockerfile's ENV PORT")
    if framework is not None and framework.value in FRAMEWORKS:
        return Found(str(FRAMEWORKS[framework.value]), f"what {framework.value} listens on by itself")
    return None


def _health(files: Mapping[str, str], framework: Found | None) -> Found | None:
    """A health path that the code names, else the root page where one is routed."""
    sources = [(path, text) for path, text in sorted(files.items()) if path.endswith((".py", ".js", ".ts", ".go"))]
    for wanted in (*HEALTH_PATHS, "/"):
        routed = re.compile(
            rf"""(?:route|get|path|add_url_rule|HandleFunc|Route)\(\s*r?["']\^?{re.escape(wanted)}/?["']"""
        )
        bare = re.compile(rf"""\bpath\(\s*["']{re.escape(wanted.strip("/"))}/?["']""")
        for path, text in sources:
            if routed.search(text):
                return Found(wanted, f"{path} routes it")
            if framework is not None and framework.value == "django" and bare.search(text):
                return Found(wanted if wanted == "/" else f"{wanted}/", f"{path} routes it")
    return None
