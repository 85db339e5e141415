from wherry.images.builders.buildah_progress import Progress
from wherry.images.built import BuildEvent
from wherry.images.check.dockerfile import parse

TWO_STAGES = """\
FROM base AS build
RUN one
FROM base
COPY --from=build /a \\
     /b
CMD ["x"]
"""


def told(*lines: str, dockerfile: str = TWO_STAGES) -> list[BuildEvent]:
    events: list[BuildEvent] = []
    progress = Progress(parse(dockerfile), events.append)
    for number, line in enumerate(lines):
        progress.feed(line, float(number))
    progress.close(float(len(lines)))
    return events


def test_steps_count_over_all_stages_and_know_their_lines() -> None:
    events = told(
        "[1/2] STEP 1/2: FROM base AS build",
        "[1/2] STEP 2/2: RUN one",
        "hello",
        "--> 0123456789ab",
        "[2/2] STEP 1/3: FROM base",
        "[2/2] STEP 2/3: COPY --from=build /a      /b",
        "--> Using cache 0123456789abcdef",
        "[2/2] STEP 3/3: CMD",
        "[2/2] COMMIT x",
    )
    done = [(event.step, event.line, event.cached, event.seconds) for event in events if event.kind == "done"]
    assert done == [(1, 1, False, 1), (2, 2, False, 3), (3, 3, False, 1), (4, 4, True, 2), (5, 6, False, 2)]
    assert [(event.step, event.text) for event in events if event.kind == "output"] == [(2, "hello")]
    assert {event.steps for event in events} == {5}
    assert events[-1].text == 'CMD ["x"]'


def test_a_program_that_prints_like_a_builder_starts_no_step() -> None:
    events = told(
        "STEP 1/2: FROM a", "STEP 2/2: RUN b", "STEP 1/2: FROM c", "STEP 9/9: x", dockerfile="FROM a\nRUN b\n"
    )
    assert [event.text for event in events if event.kind == "output"] == ["STEP 1/2: FROM c", "STEP 9/9: x"]
    assert [event.step for event in events if event.kind == "done"] == [1, 2]
