"""Why the store said no.

StoreError
├── Exists      a write expected no record      ├── Full        no space left; heals by itself
├── Missing     a write expected a record       ├── ReadOnly    the disk failed: nothing is stored any more
├── Stale       a write expected another one    ├── InUse       another process has the directory
├── Compacted   a revision no longer remembered ├── Unreadable  damaged, or of a newer version
├── Future      a revision not reached yet      └── Closed      the store or the subscription was closed
└── Lagged      a slow reader was cut off
"""

from pathlib import Path

from wherry.store.records import Key, Record


class StoreError(Exception):
    """Anything the store refuses or cannot do."""


class Exists(StoreError):
    def __init__(self, record: Record) -> None:
        super().__init__(f"{record.key} exists at revision {record.revision}")
        self.record = record


class Missing(StoreError):
    def __init__(self, key: Key) -> None:
        super().__init__(f"{key} does not exist")
        self.key = key


class Stale(StoreError):
    """`record` is the current state."""

    def __init__(self, record: Record) -> None:
        super().__init__(f"{record.key} is at revision {record.revision} by now")
        self.record = record


class Compacted(StoreError):
    """`oldest` is the oldest revision that can still be asked for."""

    def __init__(self, revision: int, oldest: int) -> None:
        super().__init__(f"revision {revision} is no longer remembered, the oldest is {oldest}: list again")
        self.revision = revision
        self.oldest = oldest


class Future(StoreError):
    def __init__(self, revision: int, current: int) -> None:
        super().__init__(f"revision {revision} is not reached yet, the current one is {current}")
        self.revision = revision
        self.current = current


class Lagged(StoreError):
    def __init__(self, capacity: int) -> None:
        super().__init__(f"more than {capacity} changes were waiting to be read: list again")
        self.capacity = capacity


class Full(StoreError):
    def __init__(self, directory: Path) -> None:
        super().__init__(f"no space left for {directory}: free some, or delete objects, then try again")


class ReadOnly(StoreError):
    """Fatal: what was written since the last acknowledgement is unknown. Only a new process may write again."""

    def __init__(self, directory: Path, cause: str) -> None:
        super().__init__(f"writing to {directory} failed ({cause}): check the disk, then restart")
        self.cause = cause


class InUse(StoreError):
    def __init__(self, directory: Path, pid: int) -> None:
        super().__init__(f"{directory} is in use by process {pid}: stop it, or choose another directory")
        self.directory = directory
        self.pid = pid


class Unreadable(StoreError):
    """The file is damaged, or a newer version wrote it. It was left as it is."""


class Closed(StoreError):
    def __init__(self, what: str) -> None:
        super().__init__(f"the {what} is closed")
