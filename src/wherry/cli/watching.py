"""`wherry up --watch`: after the first run, one more for each edit, until Ctrl-C."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from wherry.deploy.errors import DeployError

if TYPE_CHECKING:
    from wherry.deploy.edits import Edits
    from wherry.deploy.target import Target
    from wherry.deploy.up import Result, Up


async def watch(folder: Path, edits: "Edits", up: "Up", show: "Callable[[Result], None]") -> NoReturn:
    """The first run, shown as ever; then a line for each edit. What fails is told, and the next edit is waited for."""
    from wherry.deploy.changes import Changes
    from wherry.images.layers.selection import never

    async with Changes(folder, lambda path: not never(path)) as changes:
        with told(up.target):
            result = await up.run()
            show(result)
            await edits.begin(result)
        click.echo(f"watching {folder}; Ctrl-C ends that, and the app goes on", err=True)
        while True:
            begun = await changes.next()
            with told(up.target):
                result = await edits.follow(begun)
                if not result.applied and not result.pruned:
                    click.echo(f"{result.app}: the edit changes nothing that runs", err=True)
                    continue
                show(result)


@contextmanager
def told(target: "Target") -> Iterator[None]:
    """What fails is said, and is not the end."""
    try:
        with explained(target):
            yield
    except DeployError as error:
        click.echo("\n  ".join((f"Error: {error}", *error.hints)), err=True)


@contextmanager
def explained(target: "Target") -> Iterator[None]:
    """What building and deploying raise, as a DeployError in words for people; conflicts and interrupts pass."""
    from wherry.client.connection import NeverSent
    from wherry.client.kubeconfig import KubeconfigError
    from wherry.images.errors import BuildError, ImageError
    from wherry.node.runtime import RuntimeFailure
    from wherry.objects.errors import ApiError
    from wherry.process import ProgramError

    try:
        yield
    except BuildError as error:
        raise DeployError(f"the image was not built: {error}", *(f"| {line}" for line in error.tail)) from None
    except (ImageError, ProgramError, KubeconfigError, RuntimeFailure) as error:
        raise DeployError(str(error)) from None
    except NeverSent as error:
        hints = ["`wherry node start` starts the node"] if target.embedded else []
        raise DeployError(str(error), *hints) from None
    except ApiError as error:
        raise DeployError(str(error)) from None
