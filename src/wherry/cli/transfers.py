"""What push and pull share: the login of the node's registry, and how blobs on their way are shown, on stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from wherry.images.registry.transfer import Progress


def login_of(state: Path) -> Path:
    """The login of the node's own registry, which the engine keeps below its state directory."""
    return state / "registry" / "config.json"


@contextmanager
def shown() -> Iterator[Callable[["Progress"], None]]:
    """What to call with each Progress: one line that is redrawn on a terminal, a line per blob elsewhere."""
    from wherry.images.size.treemap import written

    last: dict[str, Progress] = {}
    drawn = sys.stderr.isatty()

    def tell(progress: "Progress") -> None:
        last[progress.digest] = progress
        if drawn:
            done, total = sum(one.done for one in last.values()), sum(one.total for one in last.values())
            click.echo(f"\r\x1b[K{len(last)} blobs, {written(done)} of {written(total)}", nl=False, err=True)
        elif progress.done >= progress.total:
            click.echo(f"{progress.digest[7:19]} {progress.what} {written(progress.total)}", err=True)

    try:
        yield tell
    finally:
        if drawn and last:
            click.echo("\r\x1b[K", nl=False, err=True)
