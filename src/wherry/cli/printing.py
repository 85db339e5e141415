"""Values as text on stdout: JSON, YAML, names, or tables."""

from collections.abc import Sequence
from typing import Any

import click
import orjson

OUTPUTS = ("json", "yaml", "wide", "name")

output_option = click.option(
    "-o", "--output", type=click.Choice(OUTPUTS), help="Print the result as JSON, YAML, a wider table or names."
)


def print_json(value: Any) -> None:
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def print_yaml(*values: Any) -> None:
    import yaml

    click.echo("---\n".join(yaml.safe_dump(value, sort_keys=False, allow_unicode=True) for value in values), nl=False)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns three spaces apart, as kubectl prints them."""
    widths = [max(len(row[index]) for row in (header, *rows)) for index in range(len(header))]
    for row in (header, *rows):
        click.echo("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
