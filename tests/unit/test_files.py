"""Files written whole or not at all: what is there at the end, in the middle and after an error."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wherry import files


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def broken_off(path: Path, error: BaseException) -> None:
    with files.replacing(path) as file:
        file.write(b"half")
        file.flush()
        raise error


def test_the_content_is_there_in_a_directory_that_was_not(tmp_path: Path) -> None:
    files.write(tmp_path / "a" / "b" / "note", "Grüße\n")
    assert (tmp_path / "a" / "b" / "note").read_bytes() == "Grüße\n".encode()


def test_a_file_and_its_new_directory_are_its_owners_alone(tmp_path: Path, umask: None) -> None:
    files.write(tmp_path / "keys" / "key", b"secret")
    assert (mode(tmp_path / "keys"), mode(tmp_path / "keys" / "key")) == (0o700, 0o600)


def test_a_file_for_anyone_is_what_the_umask_leaves(tmp_path: Path, umask: None) -> None:
    files.write(tmp_path / "k8s" / "app.yaml", "kind: Pod\n", mode=files.ANYONE)
    assert (mode(tmp_path / "k8s"), mode(tmp_path / "k8s" / "app.yaml")) == (0o755, 0o644)


def test_the_mode_is_set_before_there_is_content(tmp_path: Path, umask: None) -> None:
    with files.replacing(tmp_path / "key") as file:
        (part,) = tmp_path.iterdir()
        assert (mode(part), part.stat().st_size) == (0o600, 0)
        file.write(b"secret")


def test_an_error_in_the_middle_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "note"
    files.write(path, "old")
    with pytest.raises(KeyboardInterrupt):
        broken_off(path, KeyboardInterrupt())
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"note": "old"}


def test_an_error_in_the_middle_of_a_first_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no space"):
        broken_off(tmp_path / "note", OSError("no space"))
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_take_its_place_is_removed(tmp_path: Path) -> None:
    (tmp_path / "note" / "full").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        files.write(tmp_path / "note", "text")
    assert [each.name for each in tmp_path.iterdir()] == ["note"]


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "note"
    files.write(path, "old")
    with files.replacing(path, sync=True) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_a_file_under_way_is_in_the_directory_that_is_named_for_it(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    with files.replacing(tmp_path / "blobs" / "one", beside=tmp_path) as file:
        file.write(b"x")
        assert list((tmp_path / "blobs").iterdir()) == []
    assert [each.name for each in tmp_path.iterdir()] == ["blobs"]


def test_a_lock_is_one_process_s_alone_until_it_ends(tmp_path: Path) -> None:
    waits = (
        "import sys; from pathlib import Path; from wherry import files\n"
        "with files.locked(Path(sys.argv[1]) / 'lock'): print((Path(sys.argv[1]) / 'said').read_text())"
    )
    with files.locked(tmp_path / "lock"):
        child = subprocess.Popen([sys.executable, "-c", waits, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        (tmp_path / "said").write_text("only within")
    assert child.communicate(timeout=30)[0].strip() == "only within"
    assert mode(tmp_path / "lock") == 0o600


def test_a_lock_that_is_held_tells_by_whom_and_is_free_after_that(tmp_path: Path) -> None:
    held = files.hold(tmp_path / "lock")
    with pytest.raises(files.Held, match=f"held by process {os.getpid()}$") as refused:
        files.hold(tmp_path / "lock")
    assert refused.value.pid == os.getpid()
    os.close(held)
    os.close(files.hold(tmp_path / "lock"))


def test_a_lock_whose_holder_has_not_written_its_number_yet_is_held_by_0(tmp_path: Path) -> None:
    with files.locked(tmp_path / "lock"), pytest.raises(files.Held) as refused:
        files.hold(tmp_path / "lock")
    assert refused.value.pid == 0
