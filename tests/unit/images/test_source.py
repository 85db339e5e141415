from pathlib import Path

import pytest

from wherry.images.errors import BuildError
from wherry.images.source import Source, read_source

STAGES = """\
ARG BASE=python:3.11
FROM ${BASE} AS build
COPY --from=ghcr.io/tool/box:1 /bin/tool /bin/
COPY --from=helper /x /x
FROM scratch AS helper
FROM build
COPY --from=0 /a /a
"""


def source(path: Path, text: str, **args: str) -> Source:
    (path / "Dockerfile").write_text(text)
    return read_source(path, None, None, args)


def test_the_images_from_elsewhere_have_full_names_and_lines(tmp_path: Path) -> None:
    read = source(tmp_path, STAGES)
    assert read.images() == {"docker.io/library/python:3.11": 2, "ghcr.io/tool/box:1": 3}
    assert read.base() == "docker.io/library/python:3.11"
    assert source(tmp_path, STAGES, BASE="localhost/x", OTHER="y").base() == "localhost/x:latest"


def test_a_stage_from_scratch_has_no_base(tmp_path: Path) -> None:
    assert source(tmp_path, "FROM scratch\n").images() == {}
    assert source(tmp_path, "FROM scratch\n").base() == ""


def test_a_flag_of_from_is_no_image(tmp_path: Path) -> None:
    assert source(tmp_path, "FROM --platform=linux/amd64 a\n").base() == "docker.io/library/a:latest"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no FROM"),
        ("RUN x\n", "line 1: RUN comes before the first FROM"),
        ("FROM a\nRNU x\n", "line 2: unknown instruction 'RNU'"),
        ("ARG X\nFROM ${X}\n", "line 2: FROM .* is empty; give the ARG a value"),
        ("FROM A_b\n", "line 1: 'A_b' is no image name"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BuildError, match=says):
        source(tmp_path, text).images()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="has no Dockerfile; `wherry init"):
        read_source(tmp_path, None, None, {})
    with pytest.raises(BuildError, match="there is no such folder"):
        read_source(tmp_path / "none", None, None, {})
    with pytest.raises(BuildError, match="there is no such Dockerfile"):
        read_source(tmp_path, Path("Other"), None, {})
    (tmp_path / "Dockerfile").write_text("FROM a AS one\nFROM b\n")
    with pytest.raises(BuildError, match="there is no stage 'two'; its stages are one, 1"):
        read_source(tmp_path, None, "two", {})
