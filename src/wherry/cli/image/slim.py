"""`wherry image slim`: a smaller image of the same app, tried out before it is named."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from wherry.cli.image.store import layout_of
from wherry.cli.options import USAGE, fail
from wherry.cli.target import FAILED, run, target_of, target_options
from wherry.images.errors import ImageError

if TYPE_CHECKING:
    from wherry.deploy.slimming import Compared
    from wherry.deploy.target import Target
    from wherry.images.layout import Layout
    from wherry.images.slim.plan import Removal


@click.command("slim")
@click.argument("reference")
@click.option("--as", "target_name", default="", help="The new image's name.  [default: REFERENCE's tag and -slim]")
@click.option("--keep", multiple=True, metavar="PATH", help="Leave this file, or this folder (with / at its end).")
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@click.option("--no-verify", is_flag=True, help="Do not start both images to compare them.")
@click.option("--path", default="/", show_default=True, help="What both are asked.")
@click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="A variable that both are started with.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@target_options
def command(reference: str, target_name: str, keep: tuple[str, ...], output: str, **given: Any) -> None:
    """Take out of an image what static facts prove unused, and show that the rest still works.

    Both images are started on the node: the new one has to answer as the old one does, and to end at SIGTERM. The list
    of what went is in the image, at /usr/share/wherry/removed.txt; an import of it says how to keep it.

    \b
    Examples:
      wherry image slim webapp --dry-run
      wherry image slim webapp --path /healthz
      wherry image slim webapp --as webapp:small --keep /opt/venv/lib/python3.11/site-packages/numpy/
    """
    layout = layout_of(given)
    try:
        work = _plan(layout, reference, target_name or _default(reference), keep)
    except ImageError as error:
        fail(str(error))
    if output == "text":
        _show(work)
    if given["dry_run"] or not work.removals:
        _print(work, None, output)
        return
    target = None if given["no_verify"] else _node(given)
    try:
        compared = _carry_out(work, target, given)
    except ImageError as error:
        fail(str(error))
    _print(work, compared, output)


@dataclass
class _Work:
    layout: "Layout"
    reference: str
    name: str
    removals: "list[Removal]"
    digest: str = ""  # of the new one


def _default(reference: str) -> str:
    from wherry.images.names import full_name, repository

    name = full_name(reference)
    tag = "latest" if "@" in name else name.rpartition(":")[2]
    return f"{repository(name)}:{tag}-slim"


def _plan(layout: "Layout", reference: str, name: str, keep: tuple[str, ...]) -> _Work:
    from wherry.images.names import full_name
    from wherry.images.size.account import account
    from wherry.images.size.entries import read
    from wherry.images.slim.plan import is_source, plan

    full = full_name(reference)
    found = read(layout, full, wanted=is_source)
    settings = found.config.get("config") or {}
    words = [*(settings.get("Entrypoint") or ()), *(settings.get("Cmd") or ())]
    return _Work(layout, full, full_name(name), plan(account(found), found.texts, keep, words))


def _show(work: _Work) -> None:
    from wherry.images.size.treemap import written
    from wherry.images.slim.plan import summary

    click.echo(f"{'GOES':>10}{'FILES':>8}  WHY")
    for why, files, size in summary(work.removals):
        click.echo(f"{written(size):>10}{files:>8}  {why}")
    total = sum(one.size for one in work.removals)
    click.echo(f"{written(total):>10}{len(work.removals):>8}  in all")


def _node(given: dict[str, Any]) -> "Target":
    target = target_of(given)
    if not target.embedded:
        fail("both images are started on the node of this machine: leave --context out, or give --no-verify", USAGE)
    return target


def _carry_out(work: _Work, target: "Target | None", given: dict[str, Any]) -> "Compared | None":
    """Write the image; where it does less than the old one, remove it again and end."""
    from wherry.images.save import remove
    from wherry.images.slim.rewrite import rewrite

    before = work.layout.find(work.name)
    work.digest = rewrite(work.layout, work.reference, work.name, work.removals).digest
    if target is None:
        return None
    compared = None
    try:
        compared = run(_try(work, target, given), target)
    finally:
        if compared is None or compared.broken:
            if before is None:
                remove(work.layout, work.name)
            else:
                work.layout.name(work.name, before)
    if compared.broken:
        log = "".join(f"\n  | {line}" for line in compared.after.log)
        fail(
            f"{work.name} was removed again, as it does not do what {work.reference} does: {compared.broken}{log}",
            FAILED,
        )
    return compared


async def _try(work: _Work, target: "Target", given: dict[str, Any]) -> "Compared":
    from wherry.client.http import HttpClient
    from wherry.clock import SystemClock
    from wherry.deploy.errors import DeployError
    from wherry.deploy.slimming import compare, into_node, out_of_node
    from wherry.deploy.trial.trial import Subject
    from wherry.node.runtime import RuntimeFailure

    whole, slim = (work.layout.find(name) for name in (work.reference, work.name))
    assert whole is not None, "it was read"
    assert slim is not None, "it was written"
    namespace = target.access.namespace
    environment = dict(_variable(each) for each in given["env"])
    try:
        names = [
            await into_node(target.containerd, work.layout, name, image)
            for name, image in ((work.reference, whole), (work.name, slim))
        ]
        subjects = [
            Subject(image=name, path=given["path"], namespace=namespace, environment=environment) for name in names
        ]
        async with HttpClient(target.access) as client:
            compared = await compare(client, SystemClock(), *subjects)
        if compared.broken:
            await out_of_node(target.containerd, work.name, slim)
    except (DeployError, RuntimeFailure) as error:
        fail(f"it could not be tried out, so nothing was kept: {error}")
    return compared


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--env")
    return name, value


def _print(work: _Work, compared: "Compared | None", output: str) -> None:
    from wherry.cli.printing import print_json
    from wherry.images.size.treemap import written

    sizes = [_sizes(work.layout, name) for name in (work.reference, work.name)] if work.digest else []
    if output == "json":
        print_json(_plain(work, compared, sizes))
        return
    if not work.digest:
        click.echo("nothing was written" if work.removals else "nothing in it is proved unused", err=True)
        return
    click.echo("")
    for what, before, after in zip(("unpacked", "in registry"), *sizes, strict=True):
        click.echo(f"{what:12}{written(before):>12} -> {written(after)}")
    if compared is not None:
        from wherry.deploy.slimming import lines

        for line in lines(compared):
            click.echo(line)
        if compared.unknown:
            click.echo(f"not verified: {compared.unknown}", err=True)
    click.echo(f"{work.name}@{work.digest}")


def _sizes(layout: "Layout", name: str) -> tuple[int, int]:
    """Unpacked, and compressed as a registry gets it."""
    from wherry.images.layout import descriptor_of
    from wherry.images.registry.transfer import compressed
    from wherry.images.size.account import account
    from wherry.images.size.entries import read

    report = account(read(layout, name))
    layers = layout.read_json(report.digest)["layers"]
    return report.total, sum(compressed(layout, descriptor_of(layer)).size for layer in layers)


def _plain(work: _Work, compared: "Compared | None", sizes: list[tuple[int, int]]) -> dict[str, Any]:
    from wherry.images.slim.plan import summary

    value: dict[str, Any] = {
        "reference": work.reference,
        "removals": [{"why": why, "files": files, "bytes": size} for why, files, size in summary(work.removals)],
    }
    if work.digest:
        value["slim"] = {"reference": work.name, "digest": work.digest}
        value["unpacked"], value["registry"] = ({"before": b, "after": a} for b, a in zip(*sizes, strict=True))
    if compared is not None:
        value["verified"] = not compared.unknown
        for key, trial in (("before", compared.before), ("after", compared.after)):
            memory = trial.inside.memory if trial.inside else None
            value[key] = {"status": trial.status, "secondsToAnswer": trial.to_answer, "memory": memory}
            value[key] |= {"secondsToStop": trial.to_stop, "exitCode": trial.exit_code}
    return value
