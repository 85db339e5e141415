"""The database file by itself: batches of any size, and space that comes back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from wherry.store.disk import Batch, Disk, Options
from wherry.store.records import Key, Record


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    opened = Disk(tmp_path, Options(ballast=0, checkpoint=1))
    yield opened
    opened.close()


def rows(numbers: range, size: int = 10) -> dict[int, Record]:
    return {n: Record(Key("pods", "default", f"p{n}"), n, b"v" * size) for n in numbers}


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 200])
def test_a_batch_of_any_size_is_written_as_a_whole(disk: Disk, count: int) -> None:
    disk.commit(Batch(rows=rows(range(1, count + 1)), reserved=1000, durable=True))
    disk.commit(Batch(rows=rows(range(5000, 5001)), gone=list(range(2, count + 1))))
    assert sorted(row for row, _ in disk.load()) == [1, 5000]
    assert disk.reserved() == 1000


def test_a_file_that_is_mostly_empty_shrinks_while_it_is_written(disk: Disk, tmp_path: Path) -> None:
    disk.commit(Batch(rows=rows(range(1, 2000), size=8000)))
    disk.tidy()
    large = (tmp_path / "state.db").stat().st_size
    disk.commit(Batch(gone=list(range(2, 2000))))
    for revision in range(5):
        disk.tidy()
        disk.commit(Batch(reserved=revision))
    assert (tmp_path / "state.db").stat().st_size < large / 2
    assert [row for row, _ in disk.load()] == [1]
