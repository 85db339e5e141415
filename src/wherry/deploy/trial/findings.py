"""What a trial shows, in the words of the checks. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from wherry.deploy.check.manifests import Manifests, probes
from wherry.deploy.trial.trial import Trial
from wherry.images.check.finding import Finding, Level
from wherry.objects.quantities import parse

KILLED = 137


def judge(trial: Trial, file: str, manifests: Manifests) -> Iterator[Finding]:
    """Findings about the image (in `file`, its Dockerfile), and about the manifests that run it."""
    if trial.failure:
        yield _about(file, "X11", Level.ERROR, trial.failure, "no replica becomes ready", "see its log below")
        return
    yield from _stopping(trial, file)
    inside = trial.inside
    if inside is None:
        return
    if inside.uid == 0:
        message = "seen running: the app's first process is root"
        yield _about(
            file, "D05", Level.WARNING, message, "a hole in the app is root in the container", "USER 10001:10001"
        )
    if inside.first[:1] and inside.first[0].rpartition("/")[2] in ("sh", "bash", "dash", "npm", "yarn"):
        message = f"seen running: process 1 is {inside.first[0]}, which passes no SIGTERM on"
        yield _about(
            file, "D06", Level.WARNING, message, "stops wait the whole grace period", 'CMD ["program", "argument"]'
        )
    hidden = [port for port, reachable in inside.ports.items() if not reachable]
    if hidden and not any(inside.ports.values()):
        message = f"seen running: it listens at {hidden[0]} on the loopback address only"
        yield _about(file, "D18", Level.ERROR, message, "no Service and no probe reaches it", "bind to 0.0.0.0")
    for one in manifests.workloads():
        for container in one.containers if len(one.containers) == 1 else ():
            yield from (
                one.finding(rule, level, message, cost=cost, fix=fix)
                for rule, level, message, cost, fix in _against(trial, container)
            )


def told(trial: Trial) -> Iterator[str]:
    """The measurements, a line each."""
    yield f"{trial.subject.image}: GET {trial.subject.path} -> {trial.status or 'no answer'}"
    if trial.failure:
        yield f"  {trial.failure}"
        yield from (f"  | {line}" for line in trial.log)
    if trial.to_answer is not None:
        yield f"  first answer {trial.to_answer:.2f} s after the start, at port {trial.port}"
    if trial.inside is not None:
        inside = trial.inside
        yield f"  process 1 is {' '.join(inside.first)[:100]}, user {inside.uid}, {inside.processes} processes"
        yield f"  memory {inside.memory / 1e6:.0f} MB; wrote {', '.join(inside.written[:5]) or 'no file'}"
    elif not trial.failure:
        yield "  there is no Python in it: memory, user and files were not looked at"
    if trial.to_stop is not None:
        yield f"  ended {trial.to_stop:.2f} s after SIGTERM, exit code {trial.exit_code}"


def _stopping(trial: Trial, file: str) -> Iterator[Finding]:
    grace = trial.subject.grace
    if trial.exit_code == KILLED or trial.to_stop is None or trial.to_stop >= grace:
        message = f"seen running: it does not end at SIGTERM and is killed after {grace} s"
        yield _about(
            file,
            "X12",
            Level.ERROR,
            message,
            "requests are cut off at every rollout",
            "handle SIGTERM, or exec the server",
        )


def _against(trial: Trial, container: Mapping[str, Any]) -> Iterator[tuple[str, Level, str, str, str]]:
    inside = trial.inside
    assert inside is not None, "only called with a look inside"
    named = [port.get("containerPort") for port in container.get("ports") or ()]
    reachable = [port for port, yes in inside.ports.items() if yes]
    if named and reachable and not set(named) & set(reachable):
        message = f"it declares port {named[0]}, and the app was seen to listen at {reachable[0]}"
        yield "X01", Level.ERROR, message, "no request and no probe reaches it", f"containerPort: {reachable[0]}"
    limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    if limit and parse(str(limit)).nano / 1e9 < inside.memory * 1.2:
        message = f"it uses {inside.memory / 1e6:.0f} MB without any load, and its limit is {limit}"
        yield "X06", Level.WARNING, message, "the kernel ends it under load", "raise the limit"
    mounted = [str(mount.get("mountPath", "")).rstrip("/") for mount in container.get("volumeMounts") or ()]
    outside = [path for path in inside.written if not any(path.startswith(f"{mount}/") for mount in mounted)]
    if outside and (container.get("securityContext") or {}).get("readOnlyRootFilesystem"):
        message = f"its root is read-only, and it was seen to write {outside[0]}"
        yield "X04", Level.ERROR, message, "it fails when it writes", f"an emptyDir at {outside[0].rpartition('/')[0]}"
    for kind, probe in probes(container):
        seconds = int(probe.get("initialDelaySeconds", 0)) + int(probe.get("failureThreshold", 3)) * int(
            probe.get("periodSeconds", 10)
        )
        if kind == "startupProbe" and trial.to_answer is not None and trial.to_answer > seconds:
            message = f"{kind} gives {seconds} s, and the first answer took {trial.to_answer:.1f} s"
            yield "M05", Level.WARNING, message, "a crash loop", "a higher failureThreshold"


def _about(file: str, rule: str, level: Level, message: str, cost: str, fix: str) -> Finding:
    return Finding(rule=rule, level=level, file=file, line=0, message=message, cost=cost, fix=fix)
