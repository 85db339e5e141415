"""What the commands about images share: the store on this machine, an image's report, the way into the node."""

import asyncio
from typing import TYPE_CHECKING, Any

from wherry.cli.options import config_of, fail
from wherry.images.errors import ImageError

if TYPE_CHECKING:
    from wherry.images.layout import Layout
    from wherry.images.size.account import Report


def layout_of(given: dict[str, Any]) -> "Layout":
    from wherry.images.build import LAYOUT
    from wherry.images.layout import Layout

    directory = config_of(given).state / "images" / LAYOUT
    try:
        return Layout.create(directory)
    except PermissionError:
        fail(f"{directory} belongs to root: try again with sudo")


def report_of(layout: "Layout", reference: str, *, as_pushed: bool = False) -> "Report":
    """What is in an image. `as_pushed`: each layer with its bytes as a registry gets it, which takes a while once."""
    from wherry.images.names import full_name
    from wherry.images.size.account import account
    from wherry.images.size.entries import read

    try:
        if not as_pushed:
            return account(read(layout, full_name(reference)))
        from wherry.images.layout import descriptor_of
        from wherry.images.registry.transfer import compressed

        return account(
            read(
                layout,
                full_name(reference),
                stored=lambda described: compressed(layout, descriptor_of(dict(described))).size,
            )
        )
    except ImageError as error:
        fail(str(error))


def into_node(socket: str, layout: "Layout", reference: str, digest: str) -> None:
    from wherry.node.content import import_layout
    from wherry.node.runtime import RuntimeFailure
    from wherry.process import ProgramError

    try:
        asyncio.run(import_layout(socket, layout.directory, reference, digest))
    except (RuntimeFailure, ProgramError) as error:
        fail(f"{reference} is in the store, and the node did not take it: {error}")
