"""The engine's settings as options and environment variables, the same for every command that needs them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from wherry.config import Config

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULTS = Config()


class PortRange(click.ParamType[tuple[int, int]]):
    """`FIRST-LAST`."""

    name = "first-last"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return int(value[0]), int(value[1])
        try:
            first, last = (int(part) for part in str(value).split("-"))
        except ValueError:
            self.fail(f"{value!r} is not FIRST-LAST, as in 30000-32767", param, ctx)
        if not 1 <= first <= last <= 65535:
            self.fail(f"{value!r} is not a range of ports", param, ctx)
        return first, last

    @staticmethod
    def written(ports: tuple[int, int]) -> str:
        return f"{ports[0]}-{ports[1]}"


SETTINGS = (
    click.option("--name", envvar="WHERRY_NAME", default=DEFAULTS.name, show_default=True, help="The node's name."),
    click.option(
        "--state",
        envvar="WHERRY_STATE",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULTS.state,
        show_default=True,
        help="Where everything that lasts is kept.",
    ),
    click.option(
        "--run-dir",
        envvar="WHERRY_RUN",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULTS.run,
        show_default=True,
        help="Where sockets and process ids are kept.",
    ),
    click.option("--port", envvar="WHERRY_PORT", default=DEFAULTS.port, show_default=True, help="The API's port."),
    click.option("--bridge", envvar="WHERRY_BRIDGE", default=DEFAULTS.bridge, show_default=True, help="Pods' bridge."),
    click.option("--pods", envvar="WHERRY_PODS", default=DEFAULTS.pods, show_default=True, help="Pods' addresses."),
    click.option(
        "--services",
        envvar="WHERRY_SERVICES",
        default=DEFAULTS.services,
        show_default=True,
        help="Services' addresses.",
    ),
    click.option(
        "--node-ports",
        envvar="WHERRY_NODE_PORTS",
        type=PortRange(),
        default=DEFAULTS.node_ports,
        show_default=PortRange.written(DEFAULTS.node_ports),
        help="The ports that NodePort Services take.",
    ),
)


def settings(command: Command) -> Command:
    """Add the options of `SETTINGS`; `config_of` makes a Config of what they give."""
    for option in reversed(SETTINGS):
        command = option(command)
    return command


def config_of(given: dict[str, Any]) -> Config:
    return Config(
        name=given["name"],
        state=given["state"],
        run=given["run_dir"],
        port=given["port"],
        bridge=given["bridge"],
        pods=given["pods"],
        services=given["services"],
        node_ports=given["node_ports"],
    )
