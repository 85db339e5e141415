"""The engine's settings as options, the same for every command that needs them; made from the fields of `Config`."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from wherry.config import DEFAULT_FILE, PREFIX, SETTINGS, Config, ConfigError, Setting, load

Command = TypeVar("Command", bound=Callable[..., Any])

USAGE = 2  # the exit code for a wrong flag, file or variable


class Value(click.ParamType[Any]):
    """A setting's value on the command line; the field itself says what will do."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        kinds = {int: "number", Path: "directory", str: "text"}
        self.name = kinds.get(setting.type, "first-last")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self.setting.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def coloured() -> bool:
    """Whether stdout shows colours: at a terminal that knows them, unless NO_COLOR is set (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Failure(click.ClickException):
    """A message and an exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click reads it from the instance


def settings_of(taken: str = "") -> Callable[[Command], Command]:
    """Options for all settings, for a command that has its own meaning for the flag `taken`."""

    def add(command: Command) -> Command:
        for each in reversed(SETTINGS):
            shown = each.written(each.default)
            help_text = f"{each.help}  [{each.variable}{'; default: ' + shown if shown else ''}]"
            flags = [each.flag] if each.alias in ("", taken) else [each.flag, each.alias]
            command = click.option(*flags, each.field, type=Value(each), default=None, help=help_text)(command)
        file = click.Path(path_type=Path, dir_okay=False)
        help_text = f"A file with these settings (TOML).  [{PREFIX}CONFIG; default: {DEFAULT_FILE}]"
        return click.option("--config", "config_file", type=file, default=None, help=help_text)(command)

    return add


settings = settings_of()
"""Add one option for each setting, and `--config`; `config_of` makes a Config of what they give."""


def config_of(given: dict[str, Any]) -> Config:
    """The settings by defaults, file, environment and flags. Ends with exit code 2 where one cannot be."""
    try:
        return load(given, os.environ, given.get("config_file"))
    except ConfigError as error:
        fail(str(error), USAGE)


def fail(message: str, code: int = 1) -> NoReturn:
    """End with this message on stderr and this exit code."""
    raise Failure(message, code)
