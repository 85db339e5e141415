import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from wherry.images.errors import ImageError
from wherry.images.layers.tar import Member, write_tar


def written(*members: Member) -> bytes:
    out = io.BytesIO()
    write_tar(members, out)
    return out.getvalue()


def test_the_order_of_the_members_does_not_matter() -> None:
    members = [Member(name="b", data=b"2"), Member(name="a", mode=0o644, data=b"1"), Member(name="é", target="a")]
    assert written(*members) == written(*reversed(members))


def test_the_bytes_are_these_on_every_machine() -> None:
    name = "long/" * 60 + "ü"
    archive = written(
        Member(name="app", mtime=7), Member(name="app/x", mode=0o644, data=b"x"), Member(name=name, data=b"")
    )
    assert hashlib.sha256(archive).hexdigest() == "5bb8eba1c718fe93199725743ece72fc8e6d37a2afbe6fcaa0c04bda1b5ae451"


def test_a_reader_finds_what_was_meant(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    archive = written(
        Member(name="d", mode=0o1777),
        Member(name="f", mode=0o644, mtime=5, uid=7, data=tmp_path / "file"),
        Member(name="l", target="f"),
    )
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        directory, file, link = tar.getmembers()
        content = tar.extractfile(file)
        assert content is not None
        assert content.read() == b"data"
    assert (directory.isdir(), directory.mode) == (True, 0o1777)
    assert (file.mode, file.mtime, file.uid, file.uname) == (0o644, 5, 7, "")
    assert (link.issym(), link.linkname) == (True, "f")


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/./b", "a//b", "", "app/.wh.secret"])
def test_names_that_a_layer_must_not_have_are_refused(name: str) -> None:
    with pytest.raises(ImageError):
        written(Member(name=name, data=b""))


def test_no_name_comes_twice() -> None:
    with pytest.raises(ImageError, match="would be twice"):
        written(Member(name="a", data=b"1"), Member(name="a", data=b"2"))
