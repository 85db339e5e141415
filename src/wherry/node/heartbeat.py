"""This machine as a Node object: registered at start, its Lease renewed in memory."""

import logging
import platform
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wherry.client.client import Client
from wherry.clock import Clock
from wherry.node.runtime import Runtime
from wherry.node.settings import NodeSettings
from wherry.objects import Obj
from wherry.objects.conditions import condition_of, is_true
from wherry.objects.errors import ApiError, NotFound
from wherry.objects.times import format_micro, format_time
from wherry.version import KUBERNETES_VERSION, __version__

log = logging.getLogger("wherry.node")

RENEWED, HOLDS = 10.0, 40  # seconds
LEASES = "kube-node-lease"


@dataclass(frozen=True)
class Heartbeat:
    client: Client
    runtime: Runtime
    clock: Clock
    settings: NodeSettings

    async def register(self) -> None:
        """Create or refresh the Node; it is Ready when this returns."""
        version = await self.runtime.version()
        wanted = node(self.settings, version, self.clock.now())
        try:
            known = await self.client.get("Node", "", self.settings.name)
        except NotFound:
            await self.client.create(wanted)
            return
        conditions = [_since(known, each) for each in wanted["status"]["conditions"]]
        images = (known.get("status") or {}).get("images", [])
        status = {**wanted["status"], "conditions": conditions, "images": images}
        await self.client.update({**known, "status": status}, subresource="status")

    async def runtime_is(self, problem: str) -> None:
        """Write what is wrong with the runtime into the Node's Ready condition; "": nothing."""
        now = format_time(self.clock.now())
        try:
            known = await self.client.get("Node", "", self.settings.name)
            conditions = [_since(known, one) for one in _conditions(now, problem)]
            if is_true(known, "Ready") == bool(problem):
                status = {**known["status"], "conditions": conditions}
                await self.client.update({**known, "status": status}, subresource="status")
        except ApiError as error:
            log.warning("node %s: condition Ready: %s", self.settings.name, error.message)

    async def run(self) -> None:
        """Renew the Lease until cancelled."""
        name = self.settings.name
        while True:
            spec = {"holderIdentity": name, "leaseDurationSeconds": HOLDS, "renewTime": format_micro(self.clock.now())}
            try:
                try:
                    await self.client.patch("Lease.coordination.k8s.io", LEASES, name, {"spec": spec})
                except NotFound:
                    meta = {"name": name, "namespace": LEASES}
                    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}
                    await self.client.create(lease)
            except ApiError as error:
                log.warning("node %s: lease: %s", name, error.message)  # the next beat tries again
            await self.clock.sleep(RENEWED)


def node(settings: NodeSettings, runtime: str, now: datetime) -> Obj:
    """The Node object of this machine."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    milli = settings.cpu_milli
    capacity = {
        "cpu": f"{milli}m" if milli % 1000 else str(milli // 1000),
        "memory": f"{settings.memory_bytes // 1024}Ki",
        "ephemeral-storage": f"{settings.ephemeral_bytes // 1024}Ki",
        "pods": str(settings.max_pods),
        **settings.extended,
    }
    labels = {"kubernetes.io/arch": machine, "kubernetes.io/os": "linux", "kubernetes.io/hostname": settings.name}
    labels |= {"beta.kubernetes.io/arch": machine, "beta.kubernetes.io/os": "linux"}  # old manifests select by them
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": settings.name, "labels": {**labels, "node-role.kubernetes.io/control-plane": ""}},
        "spec": {},
        "status": {
            "capacity": capacity,
            "allocatable": {
                **capacity,
                "memory": f"{settings.memory_for_pods // 1024}Ki",
                "ephemeral-storage": str(settings.ephemeral_for_pods),
            },
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},  # no port: the API reaches pods in its own process
            "addresses": [
                {"type": "InternalIP", "address": settings.address},
                {"type": "Hostname", "address": settings.name},
            ],
            "conditions": _conditions(format_time(now), ""),
            "nodeInfo": {
                "machineID": _text("/etc/machine-id"),
                "systemUUID": _text("/sys/class/dmi/id/product_uuid") or _text("/etc/machine-id"),
                "bootID": _text("/proc/sys/kernel/random/boot_id"),
                "kernelVersion": platform.release(),
                "osImage": platform.freedesktop_os_release().get("PRETTY_NAME", "Linux"),
                "containerRuntimeVersion": runtime,
                "kubeletVersion": f"v{KUBERNETES_VERSION}+wherry{__version__}",
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": machine,
            },
        },
    }


def _conditions(now: str, problem: str) -> list[Obj]:
    ready = ("Ready", "True", "KubeletReady", "kubelet is posting ready status")
    said = [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "False", "KubeletNotReady", problem) if problem else ready,
    ]
    return [
        {
            "type": type_,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        for type_, status, reason, message in said
    ]


def _since(known: Obj, condition: Obj) -> Obj:
    """With the time since which it is so."""
    old = condition_of(known, condition["type"])
    same = old is not None and old.get("status") == condition["status"]
    return {**condition, "lastTransitionTime": old["lastTransitionTime"]} if old is not None and same else condition


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
