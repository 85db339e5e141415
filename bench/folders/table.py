"""docs/FOLDERS.md. Pure."""

import re
from collections.abc import Sequence

from bench.folders.run import Outcome, Project

_HEAD = """\
# Real folders

Source distributions of Python web projects from pip's index, each unpacked as it is (a Dockerfile of its own is
taken out), then `wherry up FOLDER`: the image is made in layers, no Dockerfile is written. Made by `make folders`;
the projects and their digests are in `bench/folders/list.toml`. `make test` fetches six of them, of different kinds.

**{good} of {all} answer 200** to a GET (redirects followed, `Host: localhost`), {own} of them with nothing said but
their folder. For the other {given} a user has to say what no folder can tell: it stands in the table and in
`list.toml` with the reason, and goes into `wherry.toml` (a path is only what is asked for). 401, 403 and 404 count as
failures. Seconds are from the unpacked folder to the answer: detection, dependencies (most of them in uv's cache),
image, replicas; on two cores that other work shares.
"""


def table(outcomes: Sequence[Outcome], projects: Sequence[Project]) -> str:
    """The document."""
    of = {one.title: one for one in projects}
    good = [one for one in outcomes if one.status == 200]
    bad = [one for one in outcomes if one.status != 200]
    own, given = [one for one in good if not one.given], [one for one in good if one.given]
    lines = [_HEAD.format(good=len(good), all=len(outcomes), own=len(own), given=len(given))]
    lines += ["## By the folder alone", "", "| Project | Starts with | Status | Seconds |", "|---|---|---|---|"]
    lines += [f"| {one.title} | {_code(one.found)} | {one.status} | {one.seconds:.0f} |" for one in own]
    lines += ["", "## With something said", "", "| Project | Starts with | Said | Seconds |", "|---|---|---|---|"]
    for one in given:
        said = f"{_kind(one.given)}: {_cell(of[one.title].why)}"
        lines.append(f"| {one.title} | {_code(one.found)} | {said} | {one.seconds:.0f} |")
    lines += ["", "## Failed", "", "| Project | Starts with | Status | Cause |", "|---|---|---|---|"]
    for one in bad:
        cause = ": ".join(filter(None, (of[one.title].cause, _short(one.failure))))
        lines.append(f"| {one.title} | {_code(one.found)} | {one.status or '-'} | {_cell(cause)} |")
    return "\n".join([*lines, ""])


def _short(failure: str) -> str:
    """Without what is another one at each run: places, pods."""
    text = re.sub(r"(?<=[ (`'])/(?:tmp|root|home)/\S*/", "", failure)
    return re.sub(r"app-[\w-]+ [|] ", "", text)[:160]


def _kind(given: str) -> str:
    """A start command stands in the column before."""
    return ", ".join("command" if part.startswith("start ") else f"`{part}`" for part in given.split(", "))


def _code(text: str) -> str:
    """Without what each gunicorn is told."""
    same = " --worker-class gthread --threads 8 --worker-tmp-dir /dev/shm --access-logfile -"
    return f"`{_cell(text.replace(same, ' ...'))}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
