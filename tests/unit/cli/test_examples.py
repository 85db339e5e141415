"""What help and documents tell a user to type is what there is: commands and their options."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from wherry.cli import main

ROOT = Path(__file__).parents[3]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
ENDS = re.compile(r"\s{2,}|\s(?:\||<|>|&&|#)\s|\s\.\.\.")


def helps(command: click.Command, context: click.Context) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from helps(found, click.Context(found, info_name=name, parent=context))
    yield (command.help or "").replace("\\\n", " ")


def typed() -> Iterator[str]:
    """Each `wherry ...` of the help's examples and of the documents, to its end or what the shell takes."""
    for text in helps(main, click.Context(main)):
        yield from re.findall(r"^ *(?:sudo )?wherry (.*)$", text, re.MULTILINE)
    for document in DOCUMENTS:
        text = document.read_text()
        yield from re.findall(r"^    (?:sudo )?wherry (.*)$", text, re.MULTILINE)
        yield from re.findall(r"`(?:sudo )?wherry ([^`]+)`", text)


def problem(line: str) -> str:
    words = shlex.split(ENDS.split(line)[0])
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        found = command.get_command(click.Context(command), name)
        if found is None:
            return f"no command {name}"
        command = found
    parameters = command.get_params(click.Context(command))
    known = {flag for each in parameters for flag in (*each.opts, *each.secondary_opts)}
    for word in words[: words.index("--")] if "--" in words else words:
        flag = word.partition("=")[0] if word.startswith("--") else word[:2]
        if flag.startswith("-") and flag not in known:
            return f"no option {flag}"
    return ""


@pytest.mark.parametrize("line", sorted({line.strip() for line in typed()}))
def test_what_is_told_to_type_is_a_command_with_its_options(line: str) -> None:
    assert problem(line) == ""


def test_a_wrong_one_would_be_seen() -> None:
    assert problem("node begin") == "no command begin"
    assert problem("node start --bridges x") == "no option --bridges"
