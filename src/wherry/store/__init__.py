"""Bytes by key, with revisions: the current state in SQLite, a bounded ring of the past, a feed of what was
committed. Knows nothing of Kubernetes.

`store.Store` joins the parts: `writer` (the one thread that commits), `disk` (the file it commits to), `snapshot` (the
state in memory that readers see), `feed` (the ring and its readers). `records` and `errors` are what passes between.
"""

from wherry.store.disk import Options
from wherry.store.errors import (
    Closed,
    Compacted,
    Exists,
    Full,
    Future,
    InUse,
    Lagged,
    Missing,
    ReadOnly,
    Stale,
    StoreError,
    Unreadable,
)
from wherry.store.feed import Subscription
from wherry.store.records import Change, Key, Record, Seal, Sync
from wherry.store.store import Store

__all__ = [
    "Change",
    "Closed",
    "Compacted",
    "Exists",
    "Full",
    "Future",
    "InUse",
    "Key",
    "Lagged",
    "Missing",
    "Options",
    "ReadOnly",
    "Record",
    "Seal",
    "Stale",
    "Store",
    "StoreError",
    "Subscription",
    "Sync",
    "Unreadable",
]
