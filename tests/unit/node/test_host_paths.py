"""subPaths: below their volume, made where they are missing, and never by way of a link."""

import os
import stat
from pathlib import Path

import pytest

from wherry.node.host_paths import open_beneath
from wherry.node.volume_sources import NoVolume


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_missing_sub_path_is_made_as_its_volume_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    os.close(open_beneath(tmp_path, "a/b"))
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o2770


@pytest.mark.parametrize("sub_path", ["../x", "a/../x", "/x", "file/x", "link", "link/x"])
def test_a_sub_path_that_leads_elsewhere_is_refused_and_leaves_no_descriptor(tmp_path: Path, sub_path: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("/")
    before = descriptors()
    with pytest.raises(NoVolume):
        open_beneath(tmp_path, sub_path)
    assert descriptors() == before


def test_a_directory_that_cannot_be_made_as_its_volume_is_leaves_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(path: str, mode: int) -> None:
        raise PermissionError(f"{path}: {mode:o}")

    monkeypatch.setattr(os, "chmod", refuses)
    before = descriptors()
    with pytest.raises(PermissionError):
        open_beneath(tmp_path, "a")
    assert descriptors() == before
