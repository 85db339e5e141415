"""`python -m wherry.images.base`: make the base images into a store, before there is a command for it."""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

from wherry.config import Config
from wherry.images.base.image import make
from wherry.images.errors import ImageError
from wherry.images.layout import Layout


def main() -> int:
    parser = argparse.ArgumentParser(prog="wherry.images.base", description=__doc__)
    state = Path(os.environ.get("WHERRY_STATE") or Config().state)
    parser.add_argument("--state", type=Path, default=state, help="the engine's state directory (%(default)s)")
    parser.add_argument("--refresh", action="store_true", help="ask apt for newer packages")
    options = parser.parse_args()
    begun = time.monotonic()
    store: Path = options.state / "images"
    layout = Layout.create(store / "layout")
    try:
        bases = asyncio.run(make(layout, store / "debs", refresh=options.refresh))
    except ImageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for base in bases:
        size = layout.size(layout.read_json(base.manifest.digest))
        print(f"{base.reference}  {size / 2**20:.1f} MiB  {base.manifest.digest}  {'made' if base.made else 'there'}")
    print(f"{time.monotonic() - begun:.1f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
