from pathlib import Path

from wherry.images.builders.buildkit_progress import BuildKitProgress
from wherry.images.built import BuildEvent
from wherry.images.explain import explain
from wherry.images.source import read_source

DOCKERFILE = """\
FROM base AS build
ENV A=1
RUN one
FROM build
COPY --from=other /a \\
     /b
RUN two
"""


def told(path: Path, text: str, *lines: str) -> tuple[BuildKitProgress, list[BuildEvent]]:
    (path / "Dockerfile").write_text(text)
    events: list[BuildEvent] = []
    progress = BuildKitProgress(read_source(path, None, None, {}), events.append)
    for number, line in enumerate(lines):
        progress.feed(line, float(number))
    return progress, events


def test_steps_of_stages_side_by_side_keep_apart(tmp_path: Path) -> None:
    _, events = told(
        tmp_path,
        DOCKERFILE,
        "#1 [internal] load build definition from Dockerfile",
        "#1 DONE 0.1s",
        "#8 [build 1/2] FROM docker.io/library/base",
        "#8 DONE 0.1s",
        "#4 [build 2/2] RUN --mount=type=secret,id=x one",
        "#5 [linux/amd64 stage-1 1/2] COPY --from=other /a      /b",
        "#5 CACHED",
        "",
        "#4 [build 2/2] RUN --mount=type=secret,id=x one",
        "#4 0.312 #5 DONE 1.0s is what it printed",
        "#4 DONE 1.8s",
        "#6 [stage-1 2/2] RUN two",
        "#6 0.1 no newline#6 DONE 0.2s",
        "#9 exporting to image",
    )
    done = [(event.step, event.line, event.cached, event.seconds) for event in events if event.kind == "done"]
    assert done == [(1, 1, False, 1), (5, 5, True, 0), (3, 3, False, 6), (6, 7, False, 1)]
    said = [(event.step, event.text) for event in events if event.kind == "output"]
    assert said == [(3, "#5 DONE 1.0s is what it printed"), (6, "no newline")]
    assert {event.steps for event in events} == {6}


def test_a_failure_is_its_step_s_and_not_that_of_those_ended_for_it(tmp_path: Path) -> None:
    new = 'process "/bin/sh -c one" did not complete successfully: exit code: 7'
    for error in ("executor failed running [/bin/sh -c one]: exit code: 7", new):
        progress, _ = told(
            tmp_path,
            DOCKERFILE,
            "#4 [build 2/2] RUN one",
            "#5 [stage-1 1/2] COPY --from=other /a /b",
            "#4 0.1 no such luck",
            "#5 ERROR: context canceled",
            f"#4 ERROR: {error}",
            "------",
            f"ERROR: failed to build: failed to solve: {error}",
        )
        failure = explain(progress._source, progress.failed, progress.said, 1)
        assert (failure.line, failure.tail) == (3, ("no such luck",))
        assert str(failure).endswith("line 3 (step 3): RUN one: exit code 7\n    no such luck")


def test_what_fails_outside_of_any_step_is_told_in_its_own_words(tmp_path: Path) -> None:
    progress, _ = told(tmp_path, "FROM base\n", "#1 [internal] load", "ERROR: failed to build: no daemon", "")
    assert (progress.failed, progress.said) == (None, ["Error: no daemon"])
    progress, _ = told(
        tmp_path, "FROM base\n", "#3 [internal] load metadata for a.example/b:1", "#3 ERROR: no such host"
    )
    assert (progress.unknown_image, progress.said) == ("a.example/b:1", ["Error: no such host"])
