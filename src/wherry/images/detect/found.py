"""The values that detection gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class Unclear(Exception):
    """The folder does not say enough; the text tells what was looked for and what to do."""


@dataclass(frozen=True)
class Reason:
    """One thing that was found, and where it stands."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what} ({self.why})"


@dataclass(frozen=True)
class Dependencies:
    """How an app's packages are installed. `manager`: requirements, uv, poetry, pdm, pipenv, pyproject, none."""

    manager: str
    file: str = ""  # what is installed from
    lock: str = ""  # what says the exact versions, "" if nothing does
    names: frozenset[str] = frozenset()  # normalized names that are asked for directly
    build_system: bool = False  # the folder is a distribution that can be built
    also: str = ""  # a requirements file to install besides
    itself: bool = False  # the folder's own distribution is installed too, as its scripts or its metadata are used


@dataclass(frozen=True)
class App:
    """An app that can be started. `command` is the exec form; `extra` are packages that the command needs besides."""

    language: str  # python, node, go, static
    framework: str
    command: Sequence[str]
    port: int
    dependencies: Dependencies
    version: str = ""  # of the language, as asked for: "3.12"
    extra: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    before: Sequence[Sequence[str]] = ()  # commands of the build, as collectstatic
    health: str = ""
    writes: str = ""  # why it must be able to write into its own folder, "" if it need not
    prepare: Sequence[Sequence[str]] = ()  # commands in a replica's own copy of the folder, before the app starts
    memory: str = ""  # what a replica needs, where it is known to be more than most
    reasons: Sequence[Reason] = ()
