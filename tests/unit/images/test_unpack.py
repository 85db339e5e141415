"""Nothing of an archive is written outside of the directory that it is unpacked into."""

import io
import tarfile
from pathlib import Path

import pytest

from wherry.images.unpack import unpack


def entry(name: str, *, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    info.size = 4 if kind == tarfile.REGTYPE else 0
    return info


def unpacked(into: Path, *entries: tarfile.TarInfo) -> None:
    into.mkdir()
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for info in entries:
            archive.addfile(info, io.BytesIO(b"data"))
    written.seek(0)
    with tarfile.open(fileobj=written) as archive:
        unpack(archive, archive, into)


def test_files_directories_and_links_are_as_in_the_archive(tmp_path: Path) -> None:
    unpacked(
        tmp_path / "in",
        entry("./", kind=tarfile.DIRTYPE),
        entry("./a/b/tool", mode=0o4777),
        entry("a/b/plain", mode=0o600),
        entry("a/b/plain"),
        entry("a/empty", kind=tarfile.DIRTYPE),
        entry("a/up", kind=tarfile.SYMTYPE, link="../a/b/tool"),
        entry("a/same", kind=tarfile.LNKTYPE, link="a/b/plain"),
        entry("a/late", kind=tarfile.SYMTYPE, link="b"),
        entry("a/late/through", mode=0o644),
    )
    a = tmp_path / "in" / "a"
    assert {str(path.relative_to(a)) for path in a.rglob("*")} >= {"b/tool", "b/plain", "empty", "up", "same", "late"}
    assert (a / "b" / "through").read_bytes() == (a / "up").read_bytes() == (a / "same").read_bytes() == b"data"
    assert [(a / "b" / name).stat().st_mode & 0o7777 for name in ("tool", "plain")] == [0o755, 0o644]


@pytest.mark.parametrize(
    "entries",
    [
        [entry("../out")],
        [entry("a/../../out")],
        [entry("/out")],
        [entry("..", kind=tarfile.DIRTYPE)],
        [entry("link", kind=tarfile.SYMTYPE, link="../out")],
        [entry("link", kind=tarfile.SYMTYPE, link="/out")],
        [entry("d", kind=tarfile.DIRTYPE), entry("d/up", kind=tarfile.SYMTYPE, link=".."), entry("d/up/../out")],
        [entry("hard", kind=tarfile.LNKTYPE, link="../out")],
        [entry("pipe", kind=tarfile.FIFOTYPE)],
        [entry("device", kind=tarfile.CHRTYPE)],
    ],
    ids=lambda entries: entries[-1].name,
)
def test_what_leads_out_or_is_no_file_is_an_error(tmp_path: Path, entries: list[tarfile.TarInfo]) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(tarfile.TarError):
        unpacked(tmp_path / "in", *entries)
    assert (tmp_path / "out").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_a_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    unpacked(
        tmp_path / "in", entry("real"), entry("link", kind=tarfile.SYMTYPE, link="real"), entry("link", mode=0o755)
    )
    assert not (tmp_path / "in" / "link").is_symlink()
    assert (tmp_path / "in" / "real").stat().st_mode & 0o777 == 0o644
