"""The options that a program declares in its source, and the words that make it serve every address. Pure.

argparse, optparse, click and tornado's `define` are read; subcommands are told apart.
"""

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from wherry.images.detect.sources import last_name

EVERYWHERE = "0.0.0.0"  # in a pod of its own, an app must be reached from outside
DEFAULT_PORT = 8000
UNPRIVILEGED = 1024
_HOSTS = (
    *(
        "--web-host",
        "--host",
        "--bind",
        "--bind-address",
        "--address",
        "--listen",
        "--listen-address",
        "--hostname",
        "--interface",
    ),
    *("--server-host", "--http-host", "--http-ip", "--ip", "--bind-host", "-H", "-a"),
)
_PORTS = ("--web-port", "--port", "--http-port", "--server-port", "--listen-port", "--bind-port", "-p", "-P", "port")
_SERVING = ("serve", "run", "server", "web", "http", "start", "runserver", "up", "webserver")


@dataclass(frozen=True)
class Option:
    """`flags` as they are written; "port" for an argument by place. `command` is the subcommand, "" if none."""

    flags: tuple[str, ...]
    default: object = None
    command: str = ""
    joined: bool = False  # it wants its value after a `=`
    required: bool = False  # an argument by place that the program does not do without


@dataclass(frozen=True)
class Serving:
    """The words after the program's name, and the port that it then binds."""

    words: tuple[str, ...]
    port: int


def serving(tree: ast.Module, *, anywhere: bool = False) -> Serving | None:
    """How the program whose options `tree` declares is told to serve. `anywhere`: it binds every address by itself."""
    found = list(options(tree))
    commands = {option.command for option in found}
    for command in sorted(commands, key=lambda name: (_SERVING.index(name) if name in _SERVING else 99, name)):
        made = _words(command, [option for option in found if option.command == command], anywhere=anywhere)
        if made is not None:
            return made
    return None


def options(tree: ast.Module) -> Iterator[Option]:
    """Every option that is declared, in the order of the source."""
    parsers = dict(_parsers(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _clicked(node)
        elif isinstance(node, ast.Call) and last_name(node.func) in ("add_argument", "add_option") and _valued(node):
            owner = node.func.value if isinstance(node.func, ast.Attribute) else None
            needed = last_name(node.func) == "add_argument" and _needed(node)
            yield Option(_texts(node), _default(node), parsers.get(last_name(owner), ""), required=needed)
        if isinstance(node, ast.Call) and last_name(node.func) == "define" and _texts(node):
            yield Option(tuple(f"--{text}" for text in _texts(node)[:1]), _default(node), joined=True)


def _words(command: str, declared: Sequence[Option], *, anywhere: bool) -> Serving | None:
    if any(option.required and "port" not in option.flags for option in declared):
        return None  # a file, a database: only its user knows which
    host, port = _named(_HOSTS, declared), _named(_PORTS, declared)
    if port is None and (host is None or not _binds(host)):
        return None
    if host is None and not anywhere:
        return None
    number = _number(port.default if port else None)
    words = [command] if command else []
    if host is not None:
        both = port is None
        words += _said(host, _HOSTS, f"{EVERYWHERE}:{number}" if both else EVERYWHERE)
    if port is not None and "port" not in port.flags:
        words += _said(port, _PORTS, str(number))
    elif port is not None:
        words.append(str(number))
    return Serving(tuple(words), number)


def _binds(option: Option) -> bool:
    """Whether it takes an address with its port."""
    return any(flag in ("--bind", "--listen") for flag in option.flags)


def _said(option: Option, known: Sequence[str], value: str) -> list[str]:
    flag = next(name for name in known if name in option.flags)
    return [f"{flag}={value}"] if flag.startswith("--") else [flag, value]


def _named(known: Sequence[str], declared: Iterable[Option]) -> Option | None:
    by_flag = {flag: option for option in declared for flag in option.flags}
    return next((by_flag[name] for name in known if name in by_flag), None)


def _number(default: object) -> int:
    text = str(default)
    return int(text) if text.isdigit() and UNPRIVILEGED <= int(text) < 1 << 16 else DEFAULT_PORT


def _parsers(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Variables that hold the parser of a subcommand."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        if last_name(node.value.func) == "add_parser" and _texts(node.value):
            yield from ((last_name(target), _texts(node.value)[0]) for target in node.targets)


def _clicked(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Option]:
    calls = [each for each in function.decorator_list if isinstance(each, ast.Call)]
    command = ""
    for call in calls:
        if (
            isinstance(call.func, ast.Attribute)
            and call.func.attr == "command"
            and last_name(call.func.value) != "click"
        ):
            named = next((word.value for word in call.keywords if word.arg == "name"), None)
            texts = _texts(call)
            text = named.value if isinstance(named, ast.Constant) else texts[0] if texts else None
            command = text if isinstance(text, str) else function.name.replace("_", "-")
    for call in calls:
        if last_name(call.func) in ("option", "argument") and _valued(call):
            needed = last_name(call.func) == "argument" and _needed(call, optional=("required", "nargs"))
            yield Option(_texts(call), _default(call), command, required=needed)


def _valued(call: ast.Call) -> bool:
    """Whether it takes a value, and is no switch."""
    named = {word.arg: word.value.value for word in call.keywords if isinstance(word.value, ast.Constant)}
    return named.get("action", "store") in ("store", "append") and not named.get("is_flag")


def _needed(call: ast.Call, optional: Sequence[str] = ("nargs",)) -> bool:
    """Whether it is an argument by place for which nothing else stands."""
    texts = _texts(call)
    named = {word.arg: word.value for word in call.keywords}
    if not texts or texts[0].startswith("-") or "default" in named or "action" in named:
        return False
    values = [ast.unparse(value) for name in optional if (value := named.get(name)) is not None]
    return not any(value in ("'*'", "'?'", "-1", "False", "argparse.REMAINDER") for value in values)


def _texts(call: ast.Call) -> tuple[str, ...]:
    return tuple(one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str))


def _default(call: ast.Call) -> object:
    value = next((word.value for word in call.keywords if word.arg == "default"), None)
    return value.value if isinstance(value, ast.Constant) else None
