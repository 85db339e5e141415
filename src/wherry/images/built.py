"""What a build says while it runs, and what it leaves."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BuildEvent:
    """Something happened in a build: a step began, printed a line, or ended.

    `kind` is "step", "output" or "done"; a "done" has `seconds`, and `cached` if nothing had to run.
    """

    kind: str
    step: int  # counts from 1, over all stages
    steps: int
    text: str  # the instruction, or the line it printed
    line: int = 0  # of the Dockerfile
    cached: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class BuiltImage:
    """An image in an OCI image layout."""

    reference: str  # in full: `docker.io/library/webapp:latest`
    digest: str  # of the manifest, `sha256:...`
    layout: Path  # the directory with `oci-layout` and `blobs`
    size: int  # bytes of config and layers in the layout
    seconds: float
