from pathlib import Path

from wherry.images.explain import explain
from wherry.images.source import Source, read_source
from wherry.images.steps import Step


def source(path: Path) -> Source:
    (path / "Dockerfile").write_text("FROM python:3.7\nRUN pip install x\n")
    return read_source(path, None, None, {})


def step(read: Source) -> Step:
    return Step(2, read.dockerfile.stages[0].instructions[0])


def test_a_command_s_failure_has_its_code_and_its_own_last_words(tmp_path: Path) -> None:
    said = [
        "ERROR: no x",
        "subprocess exited with status 1",
        'Error: building at STEP "RUN pip install x": exit status 1',
    ]
    read = source(tmp_path)
    failure = explain(read, step(read), said, 1)
    assert str(failure) == f"{tmp_path}/Dockerfile, line 2 (step 2): RUN pip install x: exit code 1\n    ERROR: no x"
    assert (failure.line, failure.tail) == (2, ("ERROR: no x",))


def test_a_full_disk_is_called_so(tmp_path: Path) -> None:
    read = source(tmp_path)
    assert "the disk is full" in str(explain(read, step(read), ["write /x: no space left on device"], 125))


def test_any_other_failure_is_told_in_the_builder_s_words_without_passwords(tmp_path: Path) -> None:
    said = ["Error: copying https://user:password@host/x: refused"]
    assert str(explain(source(tmp_path), None, said, 125)) == f"{tmp_path}/Dockerfile: copying https://host/x: refused"
