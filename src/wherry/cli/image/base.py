"""`wherry image base`: make the base images, lock them, look at their age."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wherry.cli.image.store import layout_of
from wherry.cli.options import USAGE, config_of, fail, settings
from wherry.images.errors import ImageError

if TYPE_CHECKING:
    from wherry.images.base.freshness import Freshness
    from wherry.images.base.image import Base
    from wherry.images.base.lock import Locked
    from wherry.images.layout import Layout

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("base")
@settings
@click.option("--refresh", is_flag=True, help="Ask apt for newer packages.")
@click.option("--lock", "to_lock", type=_FILE, help="Write every package's version and sha256 to this file.")
@click.option("--from-lock", type=_FILE, help="Make it of just the packages that this file names.")
@click.option("--check", is_flag=True, help="Make nothing: tell its age and what is newer. Exit code 1 if anything is.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(
    refresh: bool, to_lock: Path | None, from_lock: Path | None, check: bool, output: str, **given: Any
) -> None:
    """Make a Python base image from Debian's packages, without a registry and without root's rights.

    \b
    Examples:
      wherry image base
      wherry image base --refresh --lock base.lock     newest packages, and what they are
      wherry image base --from-lock base.lock          the same image again, elsewhere
      wherry image base --check                        what was fixed since
    """
    if sum((check, refresh, from_lock is not None)) > 1:
        fail("--check, --refresh and --from-lock are three different wishes: give one", USAGE)
    from wherry.images.base.image import REFERENCE, lock_of
    from wherry.images.base.lock import written as written_lock

    layout, cache = layout_of(given), config_of(given).state / "images" / "debs"
    try:
        if check:
            _tell(asyncio.run(_look(layout, cache)), output)
            return
        lock = _read(from_lock) if from_lock else ()
        click.echo("fetching Debian's packages by this machine's apt ...", err=True)
        bases = asyncio.run(_make(layout, cache, refresh, lock))
        if to_lock:
            _write(to_lock, written_lock(lock_of(layout, REFERENCE)))
    except ImageError as error:
        fail(str(error))
    _print(layout, bases, output)


async def _look(layout: "Layout", cache: Path) -> "Freshness":
    from wherry.images.base.image import look

    return await look(layout, cache, datetime.now(UTC))


async def _make(layout: "Layout", cache: Path, refresh: bool, lock: "tuple[Locked, ...]") -> "list[Base]":
    from wherry.images.base.image import make

    return await make(layout, cache, refresh=refresh, lock=lock)


def _read(file: Path) -> "tuple[Locked, ...]":
    from wherry.images.base.lock import read

    try:
        return tuple(read(file.read_text(), str(file)))
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: {error}")


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    click.echo(f"{file} written", err=True)


def _print(layout: "Layout", bases: "list[Base]", output: str) -> None:
    from wherry.cli.printing import print_json
    from wherry.images.size.treemap import written

    sizes = [layout.size(layout.read_json(one.manifest.digest)) for one in bases]
    if output == "json":
        rows = zip(bases, sizes, strict=True)
        print_json(
            [
                {"name": one.reference, "digest": one.manifest.digest, "size": size, "made": one.made}
                for one, size in rows
            ]
        )
        return
    for one, size in zip(bases, sizes, strict=True):
        click.echo(f"{one.reference}  {one.manifest.digest[:19]}  {written(size)}  {'made' if one.made else 'there'}")


def _tell(found: "Freshness", output: str) -> None:
    from dataclasses import asdict

    from wherry.cli.printing import print_json
    from wherry.images.base.freshness import lines

    if output == "json":
        print_json(asdict(found))
    else:
        for line in lines(found):
            click.echo(line)
    if found.updates:
        click.echo("`wherry image base --refresh` makes a new one, `wherry image rebase` moves images to it", err=True)
        sys.exit(1)
