"""Changes of a folder as the kernel tells them."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from wherry.deploy.changes import Changes


def passes(path: str) -> bool:
    return "node_modules" not in path


EDITS: dict[str, Callable[[Path], object]] = {
    "a file is written": lambda folder: (folder / "a.py").write_text("x = 2"),
    "a file is new": lambda folder: (folder / "pkg" / "b.py").write_text("x = 2"),
    "a file is replaced": lambda folder: (folder.parent / "beside").replace(folder / "a.py"),
    "a file is renamed": lambda folder: (folder / "a.py").rename(folder / "c.py"),
    "a file goes": lambda folder: (folder / "a.py").unlink(),
    "a mode is set": lambda folder: (folder / "a.py").chmod(0o755),
    "a link is made": lambda folder: (folder / "link").symlink_to("a.py"),
    "a directory comes": lambda folder: (folder.parent / "tree").rename(folder / "tree"),
    "a directory goes": lambda folder: (folder / "pkg").rmdir(),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    for path in (folder / "pkg", folder / "node_modules", tmp_path / "tree" / "deep"):
        path.mkdir(parents=True)
    (folder / "a.py").write_text("x = 1")
    (tmp_path / "beside").write_text("x = 2")
    return folder


@pytest.mark.parametrize("edit", EDITS)
async def test_each_kind_of_edit_is_told(folder: Path, edit: str) -> None:
    async with asyncio.timeout(10), Changes(folder, passes) as changes:
        EDITS[edit](folder)
        await changes.next()


async def test_what_comes_in_a_new_directory_is_told_and_what_is_passed_over_is_not(folder: Path) -> None:
    async with asyncio.timeout(10), Changes(folder, passes) as changes:
        (folder / "new" / "deep").mkdir(parents=True)
        await changes.next()
        (folder / "new" / "deep" / "a.py").write_text("x = 1")
        await changes.next()
        (folder / "node_modules" / "a.js").write_text("1")
        (folder / "a.py").read_text()
        waiting = asyncio.ensure_future(changes.next())
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        assert not done
        (folder / "a.py").write_text("x = 3")
        await waiting


async def test_what_comes_in_one_go_is_told_once(folder: Path) -> None:
    async with asyncio.timeout(10), Changes(folder, passes) as changes:
        for number in range(50):
            (folder / f"m{number}.py").write_text("x = 1")
        await changes.next()
        waiting = asyncio.ensure_future(changes.next())
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        waiting.cancel()
        assert not done


async def test_nothing_stays_open(folder: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with Changes(folder, passes):
        pass
    assert len(os.listdir("/proc/self/fd")) == before
