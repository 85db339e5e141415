from pathlib import Path

import pytest

from wherry.images.base.lock import Locked, locked, read, verify, written
from wherry.images.errors import ImageError

ONE = Locked("libcrypt1", "1:4.4.33-2", "amd64", "a" * 64)


def test_a_lock_is_read_as_it_was_written() -> None:
    other = Locked("base-files", "12.4+deb12u9", "amd64", "b" * 64)
    text = written([ONE, other])
    assert read(text, "lock") == [other, ONE]
    assert written(read(text, "lock")) == text


def test_a_package_is_told_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / ONE.file
    assert path.name == "libcrypt1_1%3a4.4.33-2_amd64.deb"
    path.write_bytes(b"deb")
    found = locked(path)
    assert (found.name, found.version, found.architecture) == ("libcrypt1", "1:4.4.33-2", "amd64")
    verify([found], [path])
    path.write_bytes(b"other")
    with pytest.raises(ImageError, match="the lock wants sha256"):
        verify([found], [path])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "is no lock"),
        ('{"format": 9, "packages": []}', "has format 9; this wherry reads 1"),
        ('{"format": 1, "packages": []}', "names no package"),
        (written([Locked("../x", "1", "all", "a" * 64)]), "this entry is damaged"),
        (written([Locked("x", "1", "all", "a")]), "this entry is damaged"),
        (written([Locked("x", "-o x", "all", "a" * 64)]), "this entry is damaged"),
    ],
)
def test_what_is_no_lock_is_refused(text: str, why: str) -> None:
    with pytest.raises(ImageError, match=why):
        read(text, "base.lock")
