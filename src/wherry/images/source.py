"""What is to be built: a Dockerfile that has been read, and the images that it takes from elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wherry.images.check.dockerfile import Dockerfile, DockerfileError, Stage, expand, parse
from wherry.images.errors import BuildError, ImageError
from wherry.images.names import full_name

_NAMES = ("Dockerfile", "Containerfile", "dockerfile")
_LARGEST = 1 << 20  # bytes


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
        return next((name for name, _ in self._bases((self.dockerfile.lineage(self.last)[0],))), "")

    def images(self) -> dict[str, int]:
        """The full names of all images from elsewhere, and the line that needs each first."""
        found: dict[str, int] = {}
        for name, line in (*self._bases(self.dockerfile.stages), *self._copied()):
            found.setdefault(name, line)
        return found

    def _bases(self, stages: Sequence[Stage]) -> Iterator[tuple[str, int]]:
        given = self.dockerfile.arguments
        arguments = {**given, **{name: value for name, value in self.build_args.items() if name in given}}
        for stage in stages:
            written = next(word for word in stage.start.words if not word.startswith("--"))
            base = expand(written, arguments)
            if not base:
                message = f"{self.file}, line {stage.start.line}: FROM {written} is empty; give the ARG a value"
                raise BuildError(message, line=stage.start.line)
            below = self.dockerfile.stage(base)
            if base != "scratch" and (below is None or below.index >= stage.index):
                yield self._name(base, stage.start.line), stage.start.line

    def _copied(self) -> Iterator[tuple[str, int]]:
        for stage in self.dockerfile.stages:
            for one in stage.all("COPY"):
                source = one.flag("from") or ""
                if source and "$" not in source and self.dockerfile.stage(source) is None:
                    yield self._name(source, one.line), one.line

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
