"""A step of a Dockerfile, and how it is shown."""

from dataclasses import dataclass

from wherry.images.check.dockerfile import Instruction


@dataclass(frozen=True)
class Step:
    """A step under way: its number over all stages, and the instruction it carries out."""

    number: int
    instruction: Instruction


def spoken(instruction: Instruction) -> str:
    """The instruction in one line, not too long a one."""
    flags = "".join(f" --{name}={value}" if value else f" --{name}" for name, value in instruction.flags)
    text = f"{instruction.name}{flags} {' '.join(instruction.text.split())}"
    return text if len(text) <= 200 else f"{text[:199]}…"
