"""`wherry image`: the images of this machine: what there is, what is in them, in and out of archives."""

from pathlib import Path
from typing import Any

import click

from wherry.cli.image import base, gc, rebase, slim
from wherry.cli.image.store import into_node, layout_of, report_of
from wherry.cli.options import config_of, fail, settings
from wherry.images.errors import ImageError


@click.group()
def command() -> None:
    """The images of this machine.

    \b
    Examples:
      wherry image ls
      wherry image base                        a Python base from Debian's packages
      wherry image size webapp                 base + dependencies + app, by package, what could go
      wherry image size webapp -o svg > webapp.svg
      wherry image save webapp webapp.tar
    """


@command.command()
@settings
@click.option("-o", "--output", type=click.Choice(["table", "json", "name"]), default="table", show_default=True)
def ls(output: str, **given: Any) -> None:
    """The images that were built, loaded or pulled here."""
    layout = layout_of(given)
    rows = []
    for name, found in sorted(layout.names().items()):
        if "/" in name and "manifest" in found.media_type:
            manifest = layout.read_json(found.digest)
            rows.append({"name": name, "digest": found.digest, "size": layout.size(manifest)})
    if output == "json":
        from wherry.cli.printing import print_json

        print_json(rows)
    elif output == "name":
        for row in rows:
            click.echo(row["name"])
    else:
        from wherry.images.size.treemap import written

        width = max((len(str(row["name"])) for row in rows), default=4)
        click.echo(f"{'NAME':{width}}  {'DIGEST':19}  SIZE")
        for row in rows:
            click.echo(f"{row['name']:{width}}  {str(row['digest'])[:19]}  {written(int(str(row['size'])))}")


@command.command()
@click.argument("reference")
@settings
@click.option("-o", "--output", type=click.Choice(["table", "tree", "json", "svg"]), default="table", show_default=True)
def size(reference: str, output: str, **given: Any) -> None:
    """What the bytes of an image are: base + dependencies + app, by layer and package, and what could go."""
    report = report_of(layout_of(given), reference, as_pushed=True)
    from wherry.images.size import tables, treemap

    if output == "svg":
        click.echo(treemap.svg(report), nl=False)
    elif output == "json":
        from wherry.cli.printing import print_json

        print_json(tables.plain(report))
    else:
        for line in tables.tree(report) if output == "tree" else tables.lines(report):
            click.echo(line)


@command.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@settings
@click.option("--as", "reference", default="", help="The name to give it, where the archive holds one image.")
def load(file: Path, reference: str, **given: Any) -> None:
    """Load images from an archive of docker, podman or skopeo, into the node too if it is up."""
    from wherry.images.archive import load as load_archive

    config, layout = config_of(given), layout_of(given)
    try:
        images = load_archive(file, layout, name=reference)
    except ImageError as error:
        fail(str(error))
    socket = config.run / "containerd" / "containerd.sock"
    for one in images:
        if socket.exists():
            into_node(str(socket), layout, one.reference, one.digest)
        click.echo(f"{one.reference}  {one.digest[:19]}")


@command.command()
@click.argument("reference")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@settings
def save(reference: str, file: Path, **given: Any) -> None:
    """Write an image to an OCI archive that docker, podman, containerd and skopeo load."""
    from wherry.images.save import save as write
    from wherry.images.size.treemap import written

    try:
        count = write(layout_of(given), reference, file)
    except ImageError as error:
        fail(str(error))
    click.echo(f"{file}  {written(count)}")


@command.command()
@click.argument("references", nargs=-1, required=True)
@settings
def rm(references: tuple[str, ...], **given: Any) -> None:
    """Remove images from this machine's store. What runs on the node goes on."""
    from wherry.images.save import remove
    from wherry.images.size.treemap import written

    try:
        gone = remove(layout_of(given), *references)
    except ImageError as error:
        fail(str(error))
    for name in gone.names:
        click.echo(f"{name} removed")
    click.echo(f"{gone.blobs} blobs, {written(gone.bytes)} freed", err=True)


@command.command()
@click.argument("reference")
@settings
@click.option("--format", "form", type=click.Choice(["spdx", "cyclonedx"]), default="spdx", show_default=True)
@click.option("--attach", is_flag=True, help="Hang it on the image as an OCI referrer, beside printing it.")
def sbom(reference: str, form: str, attach: bool, **given: Any) -> None:
    """The packages in an image, as SPDX or CycloneDX."""
    from wherry.cli.printing import print_json
    from wherry.images.names import full_name
    from wherry.images.supply import referrers, sbom

    layout = layout_of(given)
    report = report_of(layout, reference)
    found = layout.find(full_name(reference))
    assert found is not None, "its report could be made"
    created = str(layout.read_json(layout.read_json(report.digest)["config"]["digest"]).get("created") or sbom.EPOCH)
    make, kind = (sbom.spdx, sbom.SPDX) if form == "spdx" else (sbom.cyclonedx, sbom.CYCLONEDX)
    document = make(report, created)
    print_json(document)
    if attach:
        made = referrers.attach(layout, found, kind, document, {"org.opencontainers.image.created": created})
        click.echo(f"attached as {made.digest}", err=True)


for each in (base, slim, rebase, gc):
    command.add_command(each.command)
