"""`wherry init`: the few files that a folder needs to be built and brought up."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wherry.cli.options import USAGE, fail

if TYPE_CHECKING:
    from wherry.images.init.files import Written


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--name", default="", help="The app's name; without it, the folder's.")
@click.option("--base", default="", help="The base image, in place of the language's official one.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@click.option("--dry-run", is_flag=True, help="Print the files; write nothing.")
@click.option(
    "--from-compose",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Map a compose file to manifests in k8s/, and say what became of each key.",
)
def command(folder: Path, name: str, base: str, force: bool, dry_run: bool, from_compose: Path | None) -> None:
    """Find out what the app in FOLDER is, and write wherry.toml, Dockerfile and .dockerignore for it.

    Files that are there stay as they are, unless --force is given.

    \b
    Examples:
      wherry init
      wherry init shop --base localhost/wherry/python:3.11
      wherry init --from-compose docker-compose.yml
    """
    from wherry.deploy import starting
    from wherry.deploy.errors import DeployError

    try:
        if from_compose is not None:
            files, converted = starting.from_compose(from_compose, force)
            for line in converted.lines:
                click.echo(str(line), err=True)
            _write(from_compose.parent, files, dry_run)
            return
        found = starting.start(folder, name or folder.resolve().name, base=base, force=force)
    except DeployError as error:
        fail("\n  ".join((str(error), *error.hints)), USAGE)
    for reason in found.app.reasons:
        click.echo(f"found  {reason}", err=True)
    click.echo(f"start  {' '.join(found.app.command)}", err=True)
    _write(folder, found.files, dry_run)


def _write(folder: Path, files: "Written", dry_run: bool) -> None:
    from wherry.deploy import starting

    for path in files.kept:
        click.echo(f"kept   {folder / path} (--force writes over it)", err=True)
    if dry_run:
        for path, text in files.files.items():
            click.echo(f"# {path}\n{text}")
        return
    starting.write(folder, files.files)
    for path in files.files:
        click.echo(f"wrote  {folder / path}", err=True)
