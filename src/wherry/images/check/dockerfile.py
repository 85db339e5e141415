"""A Dockerfile as data: instructions, stages and variables. Follows the Dockerfile reference as BuildKit reads it.

Only for judging a file; what builds it is buildah or BuildKit.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

_DIRECTIVE = re.compile(r"^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$")
_FLAG = re.compile(r"--([a-z][a-z-]*)(?:=(\S*))?\s*")
_HEREDOC = re.compile(r"<<-?\s*([\"']?)([A-Za-z_][A-Za-z0-9_]*)\1")
_WORD = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+""")

INSTRUCTIONS = frozenset(
    (
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
        *("LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
    )
)


class DockerfileError(Exception):
    """The file is no Dockerfile; `line` says where, from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line
        self.message = message


@dataclass(frozen=True)
class Instruction:
    """One instruction. `text` is what follows name and flags, continuations joined; `heredocs` their bodies."""

    name: str
    text: str
    line: int
    last_line: int
    flags: Sequence[tuple[str, str]] = ()
    heredocs: Sequence[str] = ()
    comment: str = ""  # the comment lines right above it
    written: str = ""  # the name as it was written

    @property
    def json(self) -> list[str] | None:
        """The words of the exec form, None for the shell form."""
        if not self.text.startswith("["):
            return None
        try:
            words = orjson.loads(self.text)
        except orjson.JSONDecodeError:
            return None
        return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None

    @property
    def words(self) -> list[str]:
        """The exec form's words, else the text's, quotes taken off."""
        found = self.json
        return found if found is not None else [_unquoted(word) for word in _WORD.findall(self.text)]

    @property
    def script(self) -> str:
        """What a shell gets to see of a RUN, CMD or ENTRYPOINT: text and here-documents."""
        return "\n".join((" ".join(self.words) if self.json is not None else self.text, *self.heredocs))

    def flag(self, name: str) -> str | None:
        return next((value for key, value in self.flags if key == name), None)

    def pairs(self) -> list[tuple[str, str]]:
        """The names and values of an ENV, ARG or LABEL; an ARG without a default has "" ."""
        found = self.words
        if self.name == "ENV" and found and "=" not in found[0]:
            return [(found[0], " ".join(found[1:]))]  # the old form, with one value
        return [(word.partition("=")[0], word.partition("=")[2]) for word in found]


@dataclass(frozen=True)
class Stage:
    """From one FROM to the next. `base` is the image or the earlier stage's name, variables expanded."""

    index: int
    name: str
    base: str
    start: Instruction
    instructions: Sequence[Instruction]

    def all(self, *names: str) -> list[Instruction]:
        return [one for one in self.instructions if one.name in names]

    def last(self, name: str) -> Instruction | None:
        return next(reversed(self.all(name)), None)


@dataclass(frozen=True)
class Dockerfile:
    """A whole file. `arguments` are the ARGs before the first FROM."""

    path: str
    stages: Sequence[Stage]
    arguments: Mapping[str, str] = field(default_factory=dict)
    directives: Mapping[str, str] = field(default_factory=dict)
    lines: Sequence[str] = ()  # as they are in the file

    @property
    def final(self) -> Stage:
        return self.stages[-1]

    def stage(self, reference: str) -> Stage | None:
        """The stage by name (case does not matter) or number."""
        for stage in self.stages:
            if reference.lower() == stage.name.lower() or reference == str(stage.index):
                return stage
        return None

    def lineage(self, stage: Stage) -> list[Stage]:
        """The stage and those it builds on, the oldest first."""
        found = [stage]
        while (below := self.stage(found[0].base)) is not None and below.index < found[0].index:
            found.insert(0, below)
        return found

    def root_base(self, stage: Stage) -> str:
        """The image that the stage stands on in the end."""
        return self.lineage(stage)[0].base


def parse(text: str, path: str = "Dockerfile") -> Dockerfile:
    """Raises DockerfileError where it is none."""
    lines = text.removeprefix("\ufeff").splitlines()
    directives = _directives(lines)
    instructions = list(_instructions(lines, directives.get("escape", "\\")))
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for one in instructions:
        if one.name == "FROM":
            stages.append(_stage(one, len(stages), arguments))
        elif stages:
            stages[-1] = _with(stages[-1], one)
        elif one.name == "ARG":
            arguments.update((name, expand(value, arguments)) for name, value in one.pairs())
        else:
            raise DockerfileError(one.line, f"{one.name} comes before the first FROM")
    if not stages:
        raise DockerfileError(max(len(lines), 1), "there is no FROM")
    return Dockerfile(path, tuple(stages), arguments, directives, tuple(lines))


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$name`, `${name}`, `${name:-default}` and `${name:+other}`; a variable without a value is "" ."""

    def value(match: re.Match[str]) -> str:
        name, operator, other = match[1] or match[2], match[3], match[4] or ""
        known = variables.get(name, "")
        if operator == ":-":
            return known or expand(other, variables)
        if operator == ":+":
            return expand(other, variables) if known else ""
        return known

    pattern = r"(?<!\\)\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:[-+])((?:[^{}]|\$\{[^{}]*\})*))?\})"
    return re.sub(pattern, value, text)


def variables(text: str) -> list[str]:
    """The names of the variables that `text` needs a value of."""
    found = re.finditer(r"(?<!\\)\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(:[-+])?[^}]*\})", text)
    return [match[1] or match[2] for match in found if not match[3]]


def _stage(start: Instruction, index: int, arguments: Mapping[str, str]) -> Stage:
    words = start.words
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].lower() != "as"):
        raise DockerfileError(start.line, "FROM is IMAGE or IMAGE AS NAME")
    return Stage(index, words[2] if len(words) == 3 else "", expand(words[0], arguments), start, ())


def _with(stage: Stage, one: Instruction) -> Stage:
    return Stage(stage.index, stage.name, stage.base, stage.start, (*stage.instructions, one))


def _directives(lines: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        match = _DIRECTIVE.match(line)
        if match is None:
            break
        found[match[1].lower()] = match[2]
    return found


def _instructions(lines: Sequence[str], escape: str) -> Iterator[Instruction]:
    number = 0
    comment: list[str] = []
    while number < len(lines):
        first, stripped = number, lines[number].strip()
        if not stripped or stripped.startswith("#"):
            comment = [*comment, stripped] if stripped else []
            number += 1
            continue
        parts: list[str] = []
        while number < len(lines):
            line = lines[number].strip() if not parts else lines[number].rstrip()
            number += 1
            if parts and (not line.strip() or line.lstrip().startswith("#")):
                continue  # comments and empty lines within a continuation do not end it
            if line.endswith(escape):
                parts.append(line[: -len(escape)])
                continue
            parts.append(line)
            break
        text = " ".join(part.strip() for part in parts).strip()
        name, _, rest = text.partition(" ")
        if name.upper() not in INSTRUCTIONS:
            raise DockerfileError(first + 1, f"unknown instruction {name!r}")
        flags, rest = _flags(rest.strip())
        bodies: list[str] = []
        if name.upper() in ("RUN", "COPY", "ADD"):
            for match in _HEREDOC.finditer(rest):
                body, number = _body(lines, number, match[2], first)
                bodies.append(body)
        if not rest and not bodies:
            raise DockerfileError(first + 1, f"{name.upper()} says nothing")
        yield Instruction(name.upper(), rest, first + 1, number, flags, tuple(bodies), "\n".join(comment), name)
        comment = []


def _flags(rest: str) -> tuple[tuple[tuple[str, str], ...], str]:
    flags = []
    while match := _FLAG.match(rest):
        flags.append((match[1], match[2] or ""))
        rest = rest[match.end() :]
    return tuple(flags), rest


def _body(lines: Sequence[str], number: int, end: str, first: int) -> tuple[str, int]:
    body: list[str] = []
    while number < len(lines):
        line = lines[number]
        number += 1
        if line.lstrip("\t") == end:
            return "\n".join(body), number
        body.append(line)
    raise DockerfileError(first + 1, f"the here-document {end} has no end")


def _unquoted(word: str) -> str:
    return re.sub(
        r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'', lambda match: match[1] if match[1] is not None else match[2], word
    )
