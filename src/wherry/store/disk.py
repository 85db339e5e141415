"""The file behind the store: an SQLite database in a directory that one process holds. Only the writer thread is here.

The table is the current state, not a log. Rows are found by number, which the writer keeps in memory beside each
record, so that a commit touches as few pages as can be. One connection writes and checkpoints; nothing is mapped.
"""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import apsw

from wherry import files
from wherry.store.errors import Full, InUse, StoreError, Unreadable
from wherry.store.records import Key, Record

T = TypeVar("T")

MIGRATIONS = (
    """
    CREATE TABLE state (
        id INTEGER PRIMARY KEY,  -- the revision that created it
        resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        revision INTEGER NOT NULL, value BLOB NOT NULL
    );
    CREATE TABLE reserved (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL);
    INSERT INTO reserved VALUES (1, 0);
    """,
)
"""One script per schema version; the file's user_version counts those applied."""

PRAGMAS: Mapping[str, str | int] = {
    "auto_vacuum": "INCREMENTAL",  # before anything is written: lets the file shrink in small steps
    "locking_mode": "EXCLUSIVE",  # before the journal mode: then the WAL's index is plain memory
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "wal_autocheckpoint": 0,
    "journal_size_limit": 16 * 2**20,
    "mmap_size": 0,
}
STATEMENT_ROWS = (64, *range(32, 0, -1))
"""How many rows one statement may write: any small group is one, which stays prepared and is its own transaction."""
SHRINK_PAGES = 1024


@dataclass(frozen=True)
class Options:
    """`ballast`: bytes set aside; `checkpoint`: the WAL's pages that start one; `vfs`: another SQLite file layer."""

    ballast: int = 16 * 2**20
    checkpoint: int = 1000
    vfs: str | None = None


@dataclass
class Batch:
    """One transaction. `reserved` is a new high-water mark of the revisions; 0 leaves it."""

    rows: dict[int, Record] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    reserved: int = 0
    durable: bool = False

    def __bool__(self) -> bool:
        return bool(self.rows or self.gone or self.reserved)


class Disk:
    """The open database. Methods raise apsw's errors as they are; what they mean is the writer's to say."""

    def __init__(self, directory: Path, options: Options) -> None:
        self._directory = directory
        self._ballast = options.ballast
        self._checkpoint = options.checkpoint
        self._vfs = options.vfs
        self._lock = _hold(directory)
        self._pages = 0
        self._set_aside = False  # as far as this process knows, without asking the disk at every commit
        self._durable: bool | None = None
        try:
            self._db = self._open(directory / "state.db")
        except BaseException:
            os.close(self._lock)
            raise

    def load(self) -> Iterator[tuple[int, Record]]:
        """Every row: its number and its record."""
        query = "SELECT id, resource, namespace, name, revision, value FROM state"
        for row, resource, namespace, name, revision, value in self._db.execute(query):
            yield row, Record(Key(resource, namespace, name), revision, value)

    def reserved(self) -> int:
        """No revision above this was ever given out."""
        return int(self._db.execute("SELECT max(revision) FROM reserved").get)

    def commit(self, batch: Batch) -> None:
        """Write it all or nothing; when `durable`, return only after the disk has it."""
        if batch.durable is not self._durable:
            self._db.pragma("synchronous", "FULL" if batch.durable else "NORMAL")
            self._durable = batch.durable
        statements = tuple(_statements(batch))
        if len(statements) == 1:  # is a transaction by itself
            self._db.execute(*statements[0])
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for sql, values in statements:
                self._db.execute(sql, values)
            self._db.execute("COMMIT")
        except apsw.Error:
            self.rollback()
            raise

    def rollback(self) -> None:
        if self._db.in_transaction:
            with suppress(apsw.Error):  # the failure that led here is the one to tell
                self._db.execute("ROLLBACK")

    def tidy(self) -> None:
        """Move the WAL into the database when it has grown. Not SQLite's own automatism, as that hides failures."""
        if self._pages < self._checkpoint:
            return
        if 2 * self._free_pages() > max(int(self._db.pragma("page_count")), 2 * SHRINK_PAGES):
            self._shrink(SHRINK_PAGES)
        self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self._pages = 0

    def free_ballast(self) -> bool:
        """Give the spare file's space back, so that deletions can be written. Whether there was one."""
        path = self._directory / "ballast"
        existed = path.exists()
        path.unlink(missing_ok=True)
        self._set_aside = False
        return existed

    def restore_ballast(self) -> None:
        """Set space aside again. Raises Full while there is none."""
        if self._set_aside or not self._ballast:
            return
        path = self._directory / "ballast"
        if path.exists() or _allocated(path, self._ballast):
            self._set_aside = True
            return
        pages = self._ballast // int(self._db.pragma("page_size"))
        if self._free_pages() > pages:  # what was deleted left room inside the database: give it back
            self._shrink(pages)
            self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            if _allocated(path, self._ballast):
                self._set_aside = True
                return
        raise Full(self._directory)

    def close(self) -> None:
        try:
            self._db.close()
        finally:
            os.close(self._lock)

    def abandon(self) -> None:
        """Close without another checkpoint: after a failed sync nobody knows what the pages hold."""
        _close_as_it_is(self._db)
        os.close(self._lock)

    def _open(self, path: Path) -> apsw.Connection:
        path.touch(mode=0o600)  # SQLite gives the WAL the same mode
        db = apsw.Connection(str(path), vfs=self._vfs, statementcachesize=3 * len(STATEMENT_ROWS))
        try:
            for pragma, value in PRAGMAS.items():
                db.pragma(pragma, value)
            assert db.pragma("journal_mode") == "wal"
            _check(db, path)
            self._migrate(db, path)
            db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.Error as error:
            _close_as_it_is(db)
            raise _unopened(path, error) from error
        except BaseException:
            _close_as_it_is(db)
            raise
        db.set_wal_hook(self._grown)
        _sync_directory(self._directory)
        return db

    def _migrate(self, db: apsw.Connection, path: Path) -> None:
        version = int(db.pragma("user_version"))
        if version > len(MIGRATIONS):
            raise Unreadable(f"{path} has schema {version}, this version knows {len(MIGRATIONS)}: use the newer one")
        if version == len(MIGRATIONS):
            return
        if version:
            copy = path.with_name(f"state-v{version}.db")
            copy.unlink(missing_ok=True)
            db.execute("VACUUM INTO ?", (str(copy),))
            copy.chmod(0o600)
        with db:
            for script in MIGRATIONS[version:]:
                db.execute(script)
            db.pragma("user_version", len(MIGRATIONS))

    def _free_pages(self) -> int:
        return int(self._db.pragma("freelist_count"))

    def _shrink(self, pages: int) -> None:
        """Return unused pages to the file system."""
        self._db.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()

    def _grown(self, _db: apsw.Connection, _name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK


def _hold(directory: Path) -> int:
    """Take the directory for this process; the kernel lets go of it when the process ends, however it ends."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    try:
        return files.hold(directory / "lock")
    except files.Held as held:
        raise InUse(directory, held.pid) from held


def _allocated(path: Path, size: int) -> bool:
    """Whether there was space for a file of this size."""
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        path.unlink()
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return False
    finally:
        os.close(fd)
    return True


def _close_as_it_is(db: apsw.Connection) -> None:
    with suppress(apsw.Error):
        db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        db.close()


def _unopened(path: Path, error: apsw.Error) -> StoreError:
    if isinstance(error, apsw.FullError):
        return Full(path.parent)
    if isinstance(error, apsw.NotADBError | apsw.CorruptError):
        return Unreadable(f"{path} is damaged ({error}): restore a backup of it")
    return Unreadable(f"{path} cannot be opened ({error}): check the disk and the file's permissions")


def _check(db: apsw.Connection, path: Path) -> None:
    verdict = str(db.pragma("quick_check", 1))
    if verdict != "ok":
        raise Unreadable(f"{path} is damaged ({verdict}): restore a backup of it")


def _sync_directory(directory: Path) -> None:
    for path in (directory, directory.parent):
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _statements(batch: Batch) -> Iterator[tuple[str, Sequence[object]]]:
    """As few statements as can be: around each, the interpreter's lock changes hands, which is slow on a busy loop."""
    rows = [(row, *record.key, record.revision, record.value) for row, record in batch.rows.items()]
    for count, part in _parts(rows):
        yield _UPSERT[count], [value for row in part for value in row]
    for count, numbers in _parts(batch.gone):
        yield _DELETE[count], numbers
    if batch.reserved:
        yield "UPDATE reserved SET revision = ?", (batch.reserved,)


def _parts(items: Sequence[T]) -> Iterator[tuple[int, Sequence[T]]]:
    """Split into the sizes that there are statements for."""
    start = 0
    while start < len(items):
        count = next(count for count in STATEMENT_ROWS if count <= len(items) - start)
        yield count, items[start : start + count]
        start += count


# Only question marks are put into these texts.
_UPSERT: Mapping[int, str] = {
    n: f"INSERT OR REPLACE INTO state VALUES {', '.join(['(?, ?, ?, ?, ?, ?)'] * n)}"  # noqa: S608
    for n in STATEMENT_ROWS
}
_DELETE: Mapping[int, str] = {
    n: f"DELETE FROM state WHERE id IN ({', '.join('?' * n)})"  # noqa: S608
    for n in STATEMENT_ROWS
}
