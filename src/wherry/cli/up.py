"""`wherry up`: from a folder to replicas that answer."""

import asyncio
import contextlib
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from wherry.cli.options import USAGE, config_of, fail
from wherry.cli.printing import output_option, print_json, print_yaml
from wherry.cli.progress import MODES, applied_lines, object_name, reporter, summary
from wherry.cli.target import CONFLICT, FAILED, INTERRUPTED, TIMED_OUT, Seconds, find_target, target_options
from wherry.deploy.errors import DeployError, InputError
from wherry.deploy.report import Reporter

if TYPE_CHECKING:
    from wherry.deploy.plan import Plan
    from wherry.deploy.target import Target
    from wherry.deploy.up import ImageMaker, Result, Up
    from wherry.images.layers.workshop import Workshop


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@target_options
@click.option("-p", "--profile", envvar="WHERRY_PROFILE", default="", help="A profile of wherry.toml.")
@click.option("--dockerfile", default="", help="Another Dockerfile of the folder.")
@click.option("--registry", envvar="WHERRY_REGISTRY", default="", help="HOST/PATH to push to, for another cluster.")
@click.option("--timeout", type=Seconds(), default="5m", show_default=True, help="For the rollout: 90, 90s, 5m, 1h.")
@click.option("--no-wait", is_flag=True, help="Apply and leave; do not wait for the rollout.")
@click.option("--watch", is_flag=True, help="Then follow the folder: each edit is built and rolled out, until Ctrl-C.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@click.option("--force-conflicts", is_flag=True, help="Take over fields that others manage.")
@click.option("--progress", type=click.Choice(MODES), default="auto", show_default=True, help="How it is shown.")
@output_option
def command(folder: Path, progress: str, output: str | None, **given: Any) -> None:
    """Build the app in FOLDER, run it, and wait until it answers.

    The folder's own Kubernetes manifests are used where it has some; else they are made of wherry.toml and of what is
    found in the folder. Without --context, the app goes to the node on this machine, which is started if need be.

    \b
    Examples:
      wherry up                                       the folder I am in
      wherry up examples/webapp -n shop
      wherry up --watch                               and again after each edit
      wherry up . --dry-run -o yaml > manifests.yaml
      wherry up . --context prod --registry registry.example/team
    """
    try:
        with reporter(progress) as told:
            result = _Command(folder, output, told, given).run()
    except DeployError as error:
        fail("\n  ".join((str(error), *error.hints)), USAGE if isinstance(error, InputError) else FAILED)
    if result is not None:
        sys.exit(_print(result, output, folder))


class _Command:
    """One run of the command, up to its result."""

    def __init__(self, folder: Path, output: str | None, told: Reporter, given: dict[str, Any]) -> None:
        self.folder, self.output, self.told, self.given = folder, output, told, given
        self.watching = False
        self._texts: dict[str, str] = {}

    def run(self) -> "Result | None":
        given = self.given
        made = self._plan()
        target = self._target(made)
        self.told.note(f"{made.app} -> {target}" + (f", profile {given['profile']}" if given["profile"] else ""))
        for note in made.notes:
            self.told.note(note)
        return self._attempt(made, target)

    def _plan(self) -> "Plan":
        from wherry.deploy import plan
        from wherry.deploy.detection import Detection
        from wherry.deploy.reading import read_folder

        files = read_folder(self.folder)
        look = Detection(self.folder, config_of(self.given).state / "images" / "cache", self._texts)
        self._texts = files
        asked = {"profile": self.given["profile"], "dockerfile": self.given["dockerfile"]}
        return plan.make(files, self.folder.resolve().name, **asked, look=look)

    def _target(self, made: "Plan") -> "Target":
        """The cluster; the node on this machine is started if it is meant and down."""
        from wherry.client.kubeconfig import KubeconfigError
        from wherry.deploy.target import is_embedded

        config, named = config_of(self.given), made.project
        context = self.given["context"] or self.given["kube_context"] or named.context
        if is_embedded(config, context, self.given["kubeconfig"]) and not self.given["dry_run"]:
            _start_node(config, self.given, self.told)
        try:
            return find_target(self.given, context=named.context, namespace=named.namespace)
        except KubeconfigError as error:
            raise InputError(str(error)) from None

    def _attempt(self, made: "Plan", target: "Target") -> "Result | None":
        from wherry.cli.watching import explained
        from wherry.objects.errors import Conflict

        def work() -> "Result | None":
            try:
                return asyncio.run(self._work(made, target))
            except Conflict as error:
                fail(str(error), CONFLICT)

        try:
            with explained(target):
                return work()
        except KeyboardInterrupt:
            if self.watching:
                click.echo("\nStopped watching; the app goes on.", err=True)
                sys.exit(0)
            click.echo(f"\n{self._interrupted(made)}", err=True)
            sys.exit(INTERRUPTED)

    async def _work(self, made: "Plan", target: "Target") -> "Result | None":
        from wherry.client.http import HttpClient
        from wherry.clock import SystemClock
        from wherry.deploy.up import Up, Wishes
        from wherry.images.layers.workshop import Workshop

        wishes = Wishes(
            namespace=self.given["namespace"] or made.project.namespace,
            registry=self.given["registry"],
            timeout=self.given["timeout"],
            wait=not self.given["no_wait"],
            force=self.given["force_conflicts"],
        )
        async with (
            HttpClient(target.access, warnings=self.told.warning) as client,
            Workshop(changes_on_top=bool(self.given["watch"])) as workshop,
        ):
            images = self._images(made, target, workshop)
            up = Up(client, target, made, wishes, self.told, SystemClock(), images)
            if self.given["dry_run"]:
                await _dry_run(up, self.output)
                return None
            if made.source:
                from wherry.cli.own_base import ensure_base

                await ensure_base(config_of(self.given).state / "images", self.told.build)
            if self.given["watch"]:
                await self._follow(up, workshop)
            return await up.run()

    async def _follow(self, up: "Up", workshop: "Workshop") -> NoReturn:
        from wherry.cli.progress import Quiet
        from wherry.cli.watching import watch
        from wherry.deploy.edits import Edits
        from wherry.images.layout import Layout
        from wherry.images.save import collect

        def reread() -> "tuple[Plan, ImageMaker | None]":
            made = self._plan()
            return made, self._images(made, up.target, workshop)

        def show(result: "Result") -> None:
            code = _code(result) if self.watching else _print(result, self.output, self.folder)
            if self.watching:
                click.echo(
                    _failure(result, self.folder) if code else f"{result.app}: {_success(result)[-1]}", err=bool(code)
                )
                collect(Layout(config_of(self.given).state / "images" / "layout"))  # layers of edits of hours ago
            self.watching, self.told = True, Quiet()

        await watch(self.folder.resolve(), Edits(replace(up, reporter=Quiet()), reread), up, show)

    def _images(self, made: "Plan", target: "Target", workshop: "Workshop") -> "ImageMaker | None":
        if not made.built_from:
            return None
        config, tell = config_of(self.given), self.told.build
        store = config.state / "images"
        if made.source and not made.source.before:
            from wherry.deploy.layered import LayeredImages

            return LayeredImages(self.folder.resolve(), made.source, target, store, tell, workshop)
        from wherry.deploy.delivery import FolderImages

        return FolderImages(self.folder.resolve(), made, target, store, config.builder, tell)

    def _interrupted(self, made: "Plan") -> str:
        where = f" -n {self.given['namespace']}" if self.given["namespace"] else ""
        deployed = [
            one.object["metadata"]["name"] for one in made.found.manifests if one.object["kind"] == "Deployment"
        ]
        undo = f"kubectl rollout undo deployment {' '.join(deployed or [made.app])}"
        return (
            f"Stopped waiting. What was applied goes on by itself.\n"
            f"  watch it:  wherry up {self.folder}{where}   (or wherry status {made.app}{where})\n"
            f"  undo it:   {undo}{where}; take all of it away: wherry down {made.app}{where}"
        )


def _start_node(config: Any, given: dict[str, Any], told: Reporter) -> None:
    from wherry.config import SETTINGS
    from wherry.host import launch

    try:
        engine = launch.running(config)
    except PermissionError:
        engine = None
    if engine is not None and engine.ready:
        return
    if os.geteuid() != 0:
        if (config.state / "kubeconfig").exists():
            return  # it may well be up: asking it tells
        raise DeployError(f"the node {config.name} is not up, and only root can start it", "sudo wherry node start")
    told.note(f"the node {config.name} is not up: starting it")
    from wherry.cli.node import start

    passed = {each.field: given.get(each.field) for each in SETTINGS}
    with contextlib.redirect_stdout(sys.stderr if sys.stderr is not None else open(os.devnull, "w")):
        click.get_current_context().invoke(
            start, user_file=None, no_kubeconfig=False, config_file=given.get("config_file"), **passed
        )


async def _dry_run(up: "Up", output: str | None) -> None:
    planned = await up.tried()
    match output:
        case "yaml":
            print_yaml(*(each.object for each in planned))
        case "json":
            print_json({"apiVersion": "v1", "kind": "List", "items": [each.object for each in planned]})
        case "name":
            for each in planned:
                click.echo(object_name(each.ref))
        case _:
            for line in applied_lines({each.ref: f"would be {each.done}" for each in planned}):
                click.echo(line)


def _print(result: "Result", output: str | None, folder: Path) -> int:
    """The result on stdout, what went wrong on stderr; the exit code."""
    code = _code(result)
    if output in ("json", "yaml"):
        (print_json if output == "json" else print_yaml)(as_json(result, code))
    elif output == "name":
        for each in result.applied:
            click.echo(object_name(each.ref))
    if code:
        click.echo(_failure(result, folder), err=True)
    if output in (None, "wide"):
        if output == "wide" or (result.changed and not code):
            for line in applied_lines({each.ref: each.done for each in result.applied if each.done != "unchanged"}):
                click.echo(line)
            for ref in result.pruned:
                click.echo(f"{object_name(ref)} pruned")
        if not code:
            click.echo("\n".join(_success(result)))
    return code


def _code(result: "Result") -> int:
    if result.outcome is not None and result.outcome.failed is not None:
        return FAILED
    if result.outcome is not None and result.outcome.timed_out:
        return TIMED_OUT
    return FAILED if any(not answer.good for answer in result.answers) else 0


def as_json(result: "Result", code: int) -> dict[str, Any]:
    """What scripts read."""
    trouble = result.outcome.trouble if result.outcome is not None else None
    return {
        "app": result.app,
        "namespace": result.namespace,
        "target": result.target,
        "image": result.image,
        "changed": result.changed,
        "objects": [{"object": object_name(each.ref), "result": each.done} for each in result.applied],
        "pruned": [object_name(ref) for ref in result.pruned],
        "urls": [{"url": answer.url, "status": answer.status} for answer in result.answers],
        "seconds": {**result.seconds, "total": round(sum(result.seconds.values()), 3)},
        "exitCode": code,
        "failure": None
        if trouble is None
        else {"reason": trouble.reason, "message": trouble.message, "pod": trouble.pod, "hint": trouble.hint},
        "log": list(result.outcome.log) if result.outcome is not None else [],
    }


def _success(result: "Result") -> list[str]:
    verdicts = result.outcome.verdicts if result.outcome is not None else {}
    ready = "; ".join(f"{ref.name} {summary(verdict)}" for ref, verdict in verdicts.items())
    state = "is up" if result.outcome is not None or not result.applied else "is applied"
    lines = [f"{result.app} {state if result.changed else 'has not changed'}" + (f": {ready}" if ready else "")]
    lines += [f"{answer.url}" + (f"   HTTP {answer.status}" if answer.status else "") for answer in result.answers]
    phases = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in result.seconds.items())
    lines.append(f"{phases}; {sum(result.seconds.values()):.2f} s in all")
    return lines


def _failure(result: "Result", folder: Path) -> str:
    outcome = result.outcome
    where = f" -n {result.namespace}" if result.namespace != "default" else ""
    if outcome is not None and outcome.timed_out:
        steps = [f"  {pod.name}: {pod}" for one in outcome.verdicts.values() for pod in one.pods if not pod.ready]
        more = f"  it goes on by itself; watch it: wherry status {result.app}{where}"
        return "\n".join([f"Error: {result.app} is not ready in time (--timeout)", *steps, more])
    if outcome is not None and outcome.failed is not None and outcome.trouble is not None:
        trouble = outcome.trouble
        lines = [f"Error: {outcome.failed.name} does not come up: {trouble.reason}: {trouble.message}"]
        if trouble.pod:
            lines.append(f"  pod: {trouble.pod}")
        lines += [f"  | {line}" for line in outcome.log]
        if trouble.hint:
            lines.append(f"  what to do: {trouble.hint}; then wherry up {folder}{where}")
        if outcome.verdicts[outcome.failed].old:
            lines.append(
                "  the revision before it goes on serving; to go back to it: kubectl rollout undo "
                f"deployment/{outcome.failed.name}{where}"
            )
        else:
            lines.append(f"  to take all of it away: wherry down {result.app}{where}")
        return "\n".join(lines)
    silent = ", ".join(
        f"{one.url} ({f'HTTP {one.status}' if one.status else 'no answer'})" for one in result.answers if not one.good
    )
    return f"Error: the replicas are ready and {silent} gives no good answer"
