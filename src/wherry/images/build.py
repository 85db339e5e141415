"""Build a folder's Dockerfile into an OCI image layout."""

from collections.abc import Callable, Mapping
from pathlib import Path

from wherry.images.built import BuildEvent, BuiltImage


async def build(
    folder: Path,
    *,
    reference: str,
    store: Path,
    dockerfile: Path | None,
    target: str | None,
    build_args: Mapping[str, str],
    on_event: Callable[[BuildEvent], None],
) -> BuiltImage:
    """Build `dockerfile` (the folder's own if None) under the name `reference`. Raises ImageError.

    `store` is the directory of all images and build caches here; it is made when it is missing.
    """
    raise NotImplementedError(folder, reference, store, dockerfile, target, build_args, on_event)
