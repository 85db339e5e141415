"""docs/FOLDERS.md. Pure."""

from collections.abc import Sequence

from bench.folders.run import Outcome

_HEAD = """\
# Real folders

Source distributions of Python web projects from the package index, each unpacked as it is (a Dockerfile of its own is
taken out), then `wherry init FOLDER` and `wherry up FOLDER`: nothing is written by hand. Made by `make folders`.

**{good} of {all} answer 200** to `GET /` (redirects followed, `Host: localhost`); the others are named below with the
reason. Seconds are from the unpacked folder to the answer: detection, installation of the dependencies, build, two
replicas. The projects and their digests are in `bench/folders/list.toml`.
"""


def table(outcomes: Sequence[Outcome]) -> str:
    """The document."""
    good = [one for one in outcomes if one.status == 200]
    bad = [one for one in outcomes if one.status != 200]
    lines = [_HEAD.format(good=len(good), all=len(outcomes))]
    lines += ["## Answered", "", "| Project | Starts with | Seconds |", "|---|---|---|"]
    lines += [f"| {one.title} | `{_cell(one.found)}` | {one.seconds:.0f} |" for one in good]
    lines += ["", "## Failed", "", "| Project | Starts with | Why |", "|---|---|---|"]
    lines += [f"| {one.title} | {_code(one.found)} | {_cell(one.failure)} |" for one in bad]
    return "\n".join([*lines, ""])


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
