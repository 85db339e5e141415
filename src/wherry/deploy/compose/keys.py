"""What each key of a compose service becomes; `WHY` says why others have no equal."""

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from wherry.deploy.compose.service import ComposeService, Verdict
from wherry.objects import Obj

WHY = {
    "container_name": "replicas have names of their own",
    "depends_on": "nothing waits for another here: clients try again, and readiness keeps requests away",
    "networks": "all pods reach each other; a NetworkPolicy parts them",
    "network_mode": "pods have their own network",
    "links": "a Service's name is enough",
    "logging": "the node keeps the logs: wherry logs",
    "env_file": "put the values into a ConfigMap: kubectl create configmap NAME --from-env-file=FILE",
    "profiles": "use wherry.toml's [profiles]",
    "extends": "merge it by hand",
    "init": "the pod's sandbox reaps what is left over only with shareProcessNamespace",
    "stop_signal": "set STOPSIGNAL in the Dockerfile",
    "ulimits": "the node's limits hold",
    "develop": "wherry up is quick enough to run again",
    "secrets": "mount a Secret as a volume",
    "configs": "mount a ConfigMap as a volume",
    "devices": "a pod gets no devices of its node",
}


def _image(service: ComposeService, value: Any) -> None:
    service.container["image"] = str(value)
    service.note("image", Verdict.MAPPED, "the container's image")


def _build(service: ComposeService, value: Any) -> None:
    folder = value if isinstance(value, str) else (value or {}).get("context", ".")
    service.container.setdefault("image", service.name)
    service.note("build", Verdict.CHANGED, f"wherry up {folder} builds it and puts its digest in")


def _words(value: Any) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else shlex.split(str(value))


def _command(service: ComposeService, value: Any) -> None:
    service.container["args"] = _words(value)
    service.note("command", Verdict.MAPPED, "args: what follows the image's entrypoint")


def _entrypoint(service: ComposeService, value: Any) -> None:
    service.container["command"] = _words(value)
    service.note("entrypoint", Verdict.MAPPED, "command")


def _environment(service: ComposeService, value: Any) -> None:
    pairs = value.items() if isinstance(value, dict) else (str(each).partition("=")[::2] for each in value)
    taken = [{"name": str(name), "value": _text(given)} for name, given in pairs]
    service.container["env"] = taken
    unset = [each["name"] for each in taken if "${" in each["value"] or not each["value"]]
    note = "env" + (f"; {', '.join(unset)} came from the shell: give the values" if unset else "")
    service.note("environment", Verdict.CHANGED if unset else Verdict.MAPPED, note)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


_PORT = re.compile(r"(?:(?:\d+\.\d+\.\d+\.\d+|\[[0-9a-f:]+\]):)?(?:(\d+):)?(\d+)(?:/(tcp|udp))?")


def _ports(service: ComposeService, value: Any) -> None:
    for each in value:
        if isinstance(each, dict):
            target, published = int(each["target"]), int(each.get("published") or each["target"])
            protocol = str(each.get("protocol", "tcp"))
        else:
            match = _PORT.fullmatch(str(each))
            if match is None:
                service.note("ports", Verdict.DROPPED, f"{each} is a range or has a variable: name each port")
                continue
            target, published, protocol = int(match[2]), int(match[1] or match[2]), match[3] or "tcp"
        service.published.append((published, target, protocol.upper()))
        service.note("ports", Verdict.MAPPED, f"a LoadBalancer Service at {published}, to {target}")


def _expose(service: ComposeService, value: Any) -> None:
    service.inner += [(int(str(each).partition("/")[0]), "TCP") for each in value]
    service.note("expose", Verdict.MAPPED, "a Service within the cluster")


def _volumes(service: ComposeService, value: Any) -> None:
    for number, each in enumerate(value):
        short = not isinstance(each, dict)
        parts = str(each).split(":") if short else [str(each.get("source", "")), str(each.get("target", ""))]
        source, target = (parts[0], parts[1]) if len(parts) > 1 else ("", parts[0])
        readonly = "ro" in parts[2:] if short else bool(each.get("read_only"))
        if source.startswith((".", "/", "~")) or (not short and each.get("type") == "bind"):
            service.note(
                "volumes", Verdict.DROPPED, f"{source}: a pod may be on another machine; COPY it into the image"
            )
            continue
        name = re.sub(r"[^a-z0-9-]", "-", source.lower()).strip("-") or f"volume-{number}"
        service.mount(name, target, {"emptyDir": {}}, readonly=readonly)
        service.note("volumes", Verdict.CHANGED, f"{target} is an emptyDir: its data goes with the pod")


def _tmpfs(service: ComposeService, value: Any) -> None:
    for number, each in enumerate([value] if isinstance(value, str) else value):
        service.mount(f"tmpfs-{number}", str(each).partition(":")[0], {"emptyDir": {"medium": "Memory"}})
    service.note("tmpfs", Verdict.MAPPED, "emptyDir in memory")


def _shm_size(service: ComposeService, value: Any) -> None:
    source = {"emptyDir": {"medium": "Memory", "sizeLimit": _amount(value)}}
    service.mount("shm", "/dev/shm", source)  # noqa: S108 - the container's own
    service.note("shm_size", Verdict.MAPPED, "emptyDir in memory at /dev/shm")


def _amount(value: Any) -> str:
    """Bytes as compose writes them (`64m`, `1gb`) as a quantity."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", str(value).lower())
    return f"{match[1]}{match[2].upper()}{'i' if match[2] else ''}" if match else str(value)


def _healthcheck(service: ComposeService, value: Any) -> None:
    test = value.get("test")
    if value.get("disable") or not test or test == ["NONE"]:
        service.note("healthcheck", Verdict.DROPPED, "it is switched off")
        return
    shell = isinstance(test, str) or test[0] == "CMD-SHELL"
    line = test if isinstance(test, str) else test[-1]
    words = ["/bin/sh", "-c", str(line)] if shell else [str(word) for word in test[1:]]
    probe: Obj = {"exec": {"command": words}}
    names = {"interval": "periodSeconds", "timeout": "timeoutSeconds", "start_period": "initialDelaySeconds"}
    for key, name in names.items():
        if key in value:
            probe[name] = max(round(_seconds(value[key])), 1)
    if "retries" in value:
        probe["failureThreshold"] = int(value["retries"])
    service.container["readinessProbe"] = probe
    service.note(
        "healthcheck", Verdict.CHANGED, "a readiness probe; httpGet is cheaper than a command where it will do"
    )


def _seconds(value: Any) -> float:
    """A duration such as `1m30s`."""
    units = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
    found = re.findall(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)", str(value))
    return sum(float(number) * units[unit] for number, unit in found) if found else float(value)


def _deploy(service: ComposeService, value: Any) -> None:
    for key, inner in value.items():
        if key == "replicas":
            service.replicas = int(inner)
            service.note("deploy.replicas", Verdict.MAPPED, "replicas")
        elif key == "resources":
            _resources(service, inner)
        elif key == "update_config" and "parallelism" in inner:
            service.note(
                "deploy.update_config", Verdict.CHANGED, "rolling updates with maxUnavailable 0, one more at a time"
            )
        else:
            service.note(f"deploy.{key}", Verdict.DROPPED, "the Deployment's own rules hold")


def _resources(service: ComposeService, value: Mapping[str, Any]) -> None:
    made: Obj = {}
    for key, name in (("limits", "limits"), ("reservations", "requests")):
        given = value.get(key) or {}
        amounts = {"cpu": str(given["cpus"])} if "cpus" in given else {}
        if "memory" in given:
            amounts["memory"] = _amount(given["memory"])
        if amounts:
            made[name] = amounts
    service.container["resources"] = made
    service.note("deploy.resources", Verdict.MAPPED, "resources")


def _limit(kind: str, key: str, name: str) -> Callable[[ComposeService, Any], None]:
    def handler(service: ComposeService, value: Any) -> None:
        resources = service.container.setdefault("resources", {})
        resources.setdefault(kind, {})[name] = _amount(value) if name == "memory" else str(value)
        service.note(key, Verdict.MAPPED, f"resources.{kind}.{name}")

    return handler


def _restart(service: ComposeService, value: Any) -> None:
    if value in ("always", "unless-stopped"):
        service.note("restart", Verdict.MAPPED, "a Deployment's pods are always restarted")
    else:
        service.note("restart", Verdict.CHANGED, f"{value}: a Deployment always restarts; what runs once is a Job")


def _user(service: ComposeService, value: Any) -> None:
    user, _, group = str(value).partition(":")
    if not user.isdigit():
        service.note("user", Verdict.DROPPED, f"{value} is a name: USER with a number in the Dockerfile")
        return
    security = service.container.setdefault("securityContext", {})
    security["runAsUser"] = int(user)
    if group.isdigit():
        security["runAsGroup"] = int(group)
    service.note("user", Verdict.MAPPED, "securityContext.runAsUser")


def _security(key: str, name: str, *, capability: str = "") -> Callable[[ComposeService, Any], None]:
    def handler(service: ComposeService, value: Any) -> None:
        security = service.container.setdefault("securityContext", {})
        if capability:
            security.setdefault("capabilities", {})[capability] = [str(each) for each in value]
        else:
            security[name] = bool(value)
        service.note(key, Verdict.MAPPED, f"securityContext.{name}")

    return handler


def _field(key: str, name: str, *, pod: bool = False) -> Callable[[ComposeService, Any], None]:
    def handler(service: ComposeService, value: Any) -> None:
        (service.pod if pod else service.container)[name] = value
        service.note(key, Verdict.MAPPED, name)

    return handler


def _grace(service: ComposeService, value: Any) -> None:
    service.pod["terminationGracePeriodSeconds"] = round(_seconds(value))
    service.note("stop_grace_period", Verdict.MAPPED, "terminationGracePeriodSeconds")


def _extra_hosts(service: ComposeService, value: Any) -> None:
    pairs = value.items() if isinstance(value, dict) else (re.split(r"[:=]", str(each), maxsplit=1) for each in value)
    service.pod["hostAliases"] = [{"ip": str(address), "hostnames": [str(name)]} for name, address in pairs]
    service.note("extra_hosts", Verdict.MAPPED, "hostAliases")


def _labels(service: ComposeService, value: Any) -> None:
    pairs = value.items() if isinstance(value, dict) else (str(each).partition("=")[::2] for each in value)
    service.pod.setdefault("annotations", {}).update({str(name): _text(given) for name, given in pairs})
    service.note("labels", Verdict.CHANGED, "annotations of the pods: labels here are for selecting")


def _pull_policy(service: ComposeService, value: Any) -> None:
    service.container["imagePullPolicy"] = {"always": "Always", "never": "Never"}.get(str(value), "IfNotPresent")
    service.note("pull_policy", Verdict.MAPPED, "imagePullPolicy")


KEYS: Mapping[str, Callable[[ComposeService, Any], None]] = {
    "image": _image,
    "build": _build,
    "command": _command,
    "entrypoint": _entrypoint,
    "environment": _environment,
    "ports": _ports,
    "expose": _expose,
    "volumes": _volumes,
    "tmpfs": _tmpfs,
    "shm_size": _shm_size,
    "healthcheck": _healthcheck,
    "deploy": _deploy,
    "restart": _restart,
    "user": _user,
    "working_dir": _field("working_dir", "workingDir"),
    "hostname": _field("hostname", "hostname", pod=True),
    "tty": _field("tty", "tty"),
    "stdin_open": _field("stdin_open", "stdin"),
    "read_only": _security("read_only", "readOnlyRootFilesystem"),
    "privileged": _security("privileged", "privileged"),
    "cap_add": _security("cap_add", "capabilities.add", capability="add"),
    "cap_drop": _security("cap_drop", "capabilities.drop", capability="drop"),
    "stop_grace_period": _grace,
    "extra_hosts": _extra_hosts,
    "labels": _labels,
    "pull_policy": _pull_policy,
    "mem_limit": _limit("limits", "mem_limit", "memory"),
    "mem_reservation": _limit("requests", "mem_reservation", "memory"),
    "cpus": _limit("limits", "cpus", "cpu"),
}
