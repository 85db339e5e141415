"""What is to be built: a Dockerfile that has been read, and the images that it takes from elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wherry.images.check.dockerfile import Dockerfile, DockerfileError, Instruction, Stage, expand, parse
from wherry.images.errors import BuildError, ImageError
from wherry.images.names import full_name

_NAMES = ("Dockerfile", "Containerfile", "dockerfile")
_LARGEST = 1 << 20  # bytes


@dataclass(frozen=True)
class Recipe:
    """Which Dockerfile, and how: `file` is the folder's own if None, `target` the last stage."""

    file: Path | None = None
    target: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A build that has been read and understood."""

    folder: Path
    file: Path
    dockerfile: Dockerfile
    target: str | None
    build_args: Mapping[str, str]

    @property
    def last(self) -> Stage:
        """The stage that becomes the image."""
        found = self.dockerfile.stage(self.target) if self.target else self.dockerfile.final
        assert found is not None, "read_source looks it up"
        return found

    def base(self) -> str:
        """The full name of the image that the result stands on; "" for scratch."""
        return self.outside(self.dockerfile.lineage(self.last)[0].start) or ""

    def images(self) -> dict[str, int]:
        """The full names of all images from elsewhere, and the line that needs each first."""
        found: dict[str, int] = {}
        starts = [stage.start for stage in self.dockerfile.stages]
        for one in (*starts, *(each for stage in self.dockerfile.stages for each in stage.all("COPY"))):
            if name := self.outside(one):
                found.setdefault(name, one.line)
        return found

    def outside(self, one: Instruction) -> str | None:
        """The full name of the image that a FROM or a COPY takes from elsewhere; None if it takes from none."""
        if one.name == "FROM":
            stage = next(stage for stage in self.dockerfile.stages if stage.start is one)
            base = self.base_of(stage)
            below = self.dockerfile.stage(base)
            elsewhere = base != "scratch" and (below is None or below.index >= stage.index)
            return self._name(base, one.line) if elsewhere else None
        source = one.flag("from") or ""
        if source and "$" not in source and self.dockerfile.stage(source) is None:
            return self._name(source, one.line)
        return None

    def base_of(self, stage: Stage) -> str:
        """What its FROM means, as it is written there but for variables."""
        given = self.dockerfile.arguments
        arguments = {**given, **{name: value for name, value in self.build_args.items() if name in given}}
        written = next(word for word in stage.start.words if not word.startswith("--"))
        base = expand(written, arguments)
        if not base:
            message = f"{self.file}, line {stage.start.line}: FROM {written} is empty; give the ARG a value"
            raise BuildError(message, line=stage.start.line)
        return base

    def _name(self, written: str, line: int) -> str:
        try:
            return full_name(written)
        except ImageError as error:
            raise BuildError(f"{self.file}, line {line}: {error}", line=line) from error


def read_source(folder: Path, dockerfile: Path | None, target: str | None, build_args: Mapping[str, str]) -> Source:
    """Raises BuildError where there is no Dockerfile, where it is none, or where it lacks the target."""
    if not folder.is_dir():
        raise BuildError(f"{folder}: there is no such folder")
    file = _find(folder, dockerfile)
    try:
        text = file.read_bytes()
    except OSError as error:
        raise BuildError(f"{file}: {error.strerror}") from error
    if len(text) > _LARGEST:
        raise BuildError(f"{file}: {len(text):,} bytes are too many for a Dockerfile")
    try:
        parsed = parse(text.decode(errors="replace"), str(file))
    except DockerfileError as error:
        raise BuildError(f"{file}, {error}", line=error.line) from error
    if target and parsed.stage(target) is None:
        names = ", ".join(stage.name or str(stage.index) for stage in parsed.stages)
        raise BuildError(f"{file}: there is no stage {target!r}; its stages are {names}")
    return Source(folder, file, parsed, target, build_args)


def _find(folder: Path, dockerfile: Path | None) -> Path:
    if dockerfile is not None:
        found = dockerfile if dockerfile.is_absolute() or dockerfile.is_file() else folder / dockerfile
        if not found.is_file():
            raise BuildError(f"{found}: there is no such Dockerfile")
        return found
    for name in _NAMES:
        if (folder / name).is_file():
            return folder / name
    raise BuildError(f"{folder} has no Dockerfile; `wherry init {folder}` writes one, `--file` names another")
