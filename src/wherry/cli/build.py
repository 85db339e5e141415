"""`wherry build`: a folder's image, into the node."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wherry.cli.options import USAGE, config_of, fail, settings
from wherry.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable

    from wherry.images.built import BuildEvent, BuiltImage
    from wherry.images.detect import App


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True), default=".")
@settings
@click.option("-t", "--tag", "reference", help="The image's name.  [default: the folder's]")
@click.option("--dockerfile", type=click.Path(path_type=Path, dir_okay=False), help="Another Dockerfile.")
@click.option("--target", help="Stop at this stage.")
@click.option("--build-arg", "arguments", multiple=True, metavar="NAME=VALUE", help="An ARG of the Dockerfile.")
@click.option("--base", default="", help="The base image of an app without a Dockerfile.")
@click.option("--platform", default="", help="linux/amd64 or linux/arm64, for an app without a Dockerfile.")
@click.option("--sbom", is_flag=True, help="Hang the list of its packages (SPDX) on the image; `push` sends it along.")
@click.option("--provenance", is_flag=True, help="Hang on it which commit, builder and base it was made of (SLSA).")
@click.option("-q", "--quiet", is_flag=True, help="Only the image's name and digest.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How to print the result.")
def command(folder: Path, **given: Any) -> None:
    """Build the app in FOLDER, and bring the image into the node on this machine. Prints NAME@DIGEST.

    A Dockerfile is built by buildah or docker (--builder). A Python app without one becomes an image of layers: base,
    dependencies, app.
    Only what the node lacks is copied. Pods that name the image run it; no registry is asked.

    \b
    Examples:
      sudo wherry build examples/webapp -t webapp:dev
      sudo wherry build . --target test --build-arg VERSION=3
    """
    from wherry.images.errors import BuildError, ImageError
    from wherry.node.runtime import RuntimeFailure
    from wherry.process import ProgramError

    try:
        asyncio.run(_build(folder.resolve(), given))
    except BuildError as error:
        fail("\n".join((str(error), *(error.tail if given["quiet"] else ()))))  # else it was shown already
    except (ImageError, RuntimeFailure, ProgramError) as error:
        fail(str(error))


async def _build(folder: Path, given: dict[str, Any]) -> None:
    import json

    from wherry.host import launch
    from wherry.node.content import import_layout

    config = config_of(given)
    try:
        up = launch.running(config)
    except PermissionError:
        fail("the node's images belong to root: try again with sudo")
    if up is None:
        fail(f"the node {config.name} is not up: `wherry node start` starts it")
    built = await _image(folder, given, config)
    if given["sbom"] or given["provenance"]:
        await _attest(folder, built, given)
    if given["platform"]:
        click.echo("built for another platform, it stays in the images of this machine: push it", err=True)
        click.echo(f"{built.reference}@{built.digest}")
        return
    socket = str(config.run / "containerd" / "containerd.sock")
    brought = await import_layout(socket, built.layout, built.reference, built.digest)
    if given["output"] == "json":
        result = {"reference": built.reference, "digest": built.digest, "sizeBytes": built.size}
        result |= {"seconds": round(built.seconds, 3), "copiedBytes": brought.copied_bytes}
        click.echo(json.dumps(result))
        return
    copied = f"{brought.copied_bytes / 1e6:.1f} of {built.size / 1e6:.1f} MB copied"
    click.echo(f"built in {built.seconds:.1f} s, {copied} in {brought.seconds:.1f} s", err=True)
    click.echo(f"{built.reference}@{built.digest}")


async def _attest(folder: Path, built: "BuiltImage", given: dict[str, Any]) -> None:
    from wherry.images.layout import MANIFEST, Descriptor, Layout
    from wherry.images.supply.attest import Made, attach_provenance, attach_sbom, source_of

    layout = Layout(built.layout)
    image = Descriptor(MANIFEST, built.digest, layout.path(built.digest).stat().st_size)
    attached = [attach_sbom(layout, built.reference, image)] if given["sbom"] else []
    if given["provenance"]:
        names = ",".join(sorted(each.partition("=")[0] for each in given["arguments"]))  # values may be secret
        asked = {"folder": folder.name, "dockerfile": str(given["dockerfile"] or ""), "target": given["target"] or ""}
        asked |= {"buildArgs": names, "platform": given["platform"], "base": given["base"]}
        parameters = {name: value for name, value in asked.items() if value}
        made = Made(builder="wherry build", source=await source_of(folder), parameters=parameters)
        attached.append(attach_provenance(layout, built.reference, image, made))
    for one in attached:
        click.echo(f"attached {one.digest}", err=True)


async def _image(folder: Path, given: dict[str, Any], config: Config) -> "BuiltImage":
    """By the folder's Dockerfile; where there is none, by what its files say."""
    from wherry.deploy.plan import DOCKERFILES

    reference = given["reference"] or folder.name.lower()
    tell: Callable[[BuildEvent], None] = (lambda event: None) if given["quiet"] else _show
    if given["dockerfile"] or any((folder / name).is_file() for name in DOCKERFILES):
        if given["base"] or given["platform"]:
            fail("--base and --platform are for apps without a Dockerfile: this one has its own FROM", USAGE)
        from wherry.images.build import build
        from wherry.images.source import Recipe

        return await build(
            folder,
            Recipe(given["dockerfile"], given["target"], dict(map(_argument, given["arguments"]))),
            reference=reference,
            store=config.state / "images",
            builder=config.builder,
            on_event=tell,
        )
    if given["target"] or given["arguments"]:
        fail(f"--target and --build-arg are for a Dockerfile, and {folder} has none: `wherry init` writes one", USAGE)
    store = config.state / "images"
    app = _app(folder, store)
    if not given["base"]:
        from wherry.cli.own_base import ensure_base

        await ensure_base(store, tell)
    if app.before and not given["platform"]:
        from wherry.images.build import build_made

        made_by = {"base": given["base"], "builder": config.builder}
        return await build_made(folder, app, reference=reference, store=store, **made_by, on_event=tell)
    from wherry.images.layers.folder import Ground, build_python

    ground = Ground(given["base"], given["platform"])
    return await build_python(folder, app, ground, reference=reference, store=store, on_event=tell)


def _app(folder: Path, store: Path) -> "App":
    from wherry.deploy import plan
    from wherry.deploy.detection import Detection
    from wherry.deploy.errors import DeployError
    from wherry.deploy.reading import read_folder

    try:
        files = read_folder(folder)
        return plan.source_of(files, folder.name, plan.wishes_of(files, ""), Detection(folder, store / "cache"))
    except DeployError as error:
        fail("\n  ".join((str(error), *error.hints)), USAGE)


def _show(event: "BuildEvent") -> None:
    """One line a step, what it prints indented; to stderr, as stdout is for the result."""
    where = f"[{event.step}/{event.steps}]" if event.step else "     "
    if event.kind == "step":
        click.echo(f"{where} {event.text}", err=True)
    elif event.kind == "output":
        click.echo(f"      {event.text}", err=True)
    elif event.kind == "done":
        click.echo(f"{where} {'unchanged' if event.cached else f'{event.seconds:.1f} s'}", err=True)


def _argument(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--build-arg")
    return name, value
