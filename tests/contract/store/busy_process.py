"""A process to be killed: writes to a store as fast as it can and tells on stdout what was acknowledged and seen.

Lines: `open REVISION`, `has KEY REVISION VALUE`, `ready`, then `deleting KEY`, `put KEY REVISION`,
`del KEY REVISION`, `saw REVISION`.
"""

import asyncio
import os
import random
import sys
from contextlib import closing
from pathlib import Path

from wherry.store import Key, Options, Store, Subscription, Sync


def tell(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def write(store: Store, number: int, chance: random.Random) -> None:
    """Own keys only, so that at most one write of each key is under way when the end comes."""
    while True:
        key = Key("pods", f"n{number}", chance.choice("abcd"))
        deletes = store.get(key) is not None and chance.random() < 0.3
        filler = "." * chance.choice((0, 500, 6000))

        def seal(revision: int, key: Key = key, filler: str = filler) -> tuple[bytes, None]:
            return f"{key.name}:{revision}:{filler}".encode(), None

        if deletes:
            tell("deleting", f"{key.namespace}/{key.name}")
        record = await (store.delete if deletes else store.put)(key, seal, sync=chance.choice((Sync.FULL, Sync.LAZY)))
        tell("del" if deletes else "put", f"{key.namespace}/{key.name}", record.revision)
        if chance.random() < 0.2:
            record = await store.put(Key("leases", "", str(number)), seal, sync=Sync.MEMORY)
            tell("put", "memory", record.revision)


async def follow(store: Store, since: int) -> None:
    """Read the feed, beginning anew every few batches where the last reader ended."""
    while True:
        with closing(store.subscribe(since)) as reader:
            since = await read_some(reader, since)


async def read_some(reader: Subscription, since: int) -> int:
    for _ in range(5):
        for change in await reader.next():
            tell("saw", change.revision)
            since = change.revision
    return since


async def main(directory: Path, seed: int) -> None:
    store = await Store.open(directory, options=Options(ballast=0, checkpoint=50))
    tell("open", store.revision)
    for record in store.scan("pods"):
        tell("has", f"{record.key.namespace}/{record.key.name}", record.revision, record.value.decode())
    tell("ready")
    chance = random.Random(seed)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(follow(store, store.revision))
        for number in range(8):
            tasks.create_task(write(store, number, chance))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
