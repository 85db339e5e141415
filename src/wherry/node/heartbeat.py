"""This machine as a Node object: registered at start, its Lease renewed in memory."""

import platform
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wherry.client.client import Client
from wherry.clock import Clock
from wherry.node.runtime import Runtime
from wherry.node.settings import NodeSettings
from wherry.objects import Obj
from wherry.objects.errors import ApiError, NotFound
from wherry.objects.times import format_micro, format_time
from wherry.version import KUBERNETES_VERSION, __version__

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
        await self.client.update({**known, "status": wanted["status"]}, subresource="status")

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
            except ApiError:
                pass  # the next beat tries again
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
    stamp = format_time(now)
    said = [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ]
    labels = {"kubernetes.io/arch": machine, "kubernetes.io/os": "linux", "kubernetes.io/hostname": settings.name}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": settings.name, "labels": {**labels, "node-role.kubernetes.io/control-plane": ""}},
        "spec": {},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "addresses": [
                {"type": "InternalIP", "address": settings.address},
                {"type": "Hostname", "address": settings.name},
            ],
            "conditions": [
                {
                    "type": type_,
                    "status": status,
                    "reason": reason,
                    "message": message,
                    "lastHeartbeatTime": stamp,
                    "lastTransitionTime": stamp,
                }
                for type_, status, reason, message in said
            ],
            "nodeInfo": {
                "machineID": _text("/etc/machine-id"),
                "systemUUID": "",
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


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
