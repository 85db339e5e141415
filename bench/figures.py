"""Measured values, beside one another, as a table for people."""

import datetime
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


@dataclass(frozen=True)
class Figure:
    """One measured value; `more`: whether more of it is better. `compared` False: a fact, not an achievement."""

    name: str
    value: float
    unit: str
    more: bool = False
    compared: bool = True


def seconds(name: str, value: float) -> Figure:
    return Figure(name, value, "s")


def rate(name: str, value: float) -> Figure:
    return Figure(name, value, "/s", more=True)


def table(results: Mapping[str, Sequence[Figure]]) -> str:
    """Markdown, a row a figure. With two columns the last says how many times better the first is."""
    columns = {name: {figure.name: figure for figure in figures} for name, figures in results.items()}
    order = list(dict.fromkeys(figure.name for figures in results.values() for figure in figures))
    head = ["measured", *columns] + (["ratio"] if len(columns) == 2 else [])
    lines = [_row(head), _row(["---"] + ["---:"] * (len(head) - 1))]
    for name in order:
        found = [column.get(name) for column in columns.values()]
        cells = [f"{_number(figure.value)} {figure.unit}".strip() if figure else "" for figure in found]
        lines.append(_row([name, *cells] + ([_ratio(found)] if len(columns) == 2 else [])))
    return "\n".join(lines)


def _ratio(found: Sequence[Figure | None]) -> str:
    first, second = found
    if first is None or second is None or not first.compared or not first.value or not second.value:
        return ""
    return f"{first.value / second.value if first.more else second.value / first.value:.1f}x"


def _number(value: float) -> str:
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def machine(versions: Mapping[str, str]) -> str:
    """What it ran on, and what was compared."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    gigabytes = int(memory[1]) / 2**20 if memory else 0
    load = os.getloadavg()[2]
    said = ", ".join(f"{name}: {version}" for name, version in versions.items())
    return (
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {os.cpu_count()} CPUs ({cpu[1] if cpu else 'unknown'}), "
        f"{gigabytes:.0f} GB, Linux {platform.release()}, Python {platform.python_version()}, "
        f"load average of the last 15 minutes {load:.1f}. {said}."
    )


def write(document: Path, text: str) -> None:
    """Put the text between the document's markers."""
    before, found, rest = document.read_text().partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise SystemExit(f"{document} lacks the lines {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
