"""What is fixed about this node for the life of the process. The engine fills it in."""

from dataclasses import dataclass, field
from pathlib import Path

_MEMORY_KEPT = 100 << 20  # the default of upstream's eviction, as is a tenth of the disk


@dataclass(frozen=True, kw_only=True)
class NodeSettings:
    """`pods` holds a directory for each pod (volumes and files), `logs` the containers' logs.

    `in_memory` holds the volumes of Secrets, tokens and the like instead: None leaves them with the others.
    """

    name: str
    address: str  # the node's, and so every hostNetwork pod's
    pods: Path
    logs: Path
    cgroup_root: str = "/wherry"  # every pod's cgroup is below it
    cluster_domain: str = "cluster.local"
    cluster_dns: str = ""
    resolv_conf: Path = Path("/etc/resolv.conf")  # the host's, for dnsPolicy Default
    max_pods: int = 250
    cpu_milli: int = 1000
    memory_bytes: int = 1 << 30
    ephemeral_bytes: int = 0
    starts: int = 4  # sandboxes and containers that are started at once, on the whole node
    pulls: int = 5  # images that are pulled at once
    cgroup_v2: bool = False
    seccomp_root: Path = field(default=Path("/var/lib/wherry/seccomp"))  # of Localhost profiles
    in_memory: Path | None = None
    extended: dict[str, str] = field(default_factory=dict)  # further capacity: hugepages, ...

    @property
    def memory_for_pods(self) -> int:
        """Bytes: less what a cluster's node would evict pods to keep free."""
        return max(0, self.memory_bytes - _MEMORY_KEPT)

    @property
    def ephemeral_for_pods(self) -> int:
        return self.ephemeral_bytes - self.ephemeral_bytes // 10

    def pod_dir(self, uid: str) -> Path:
        return self.pods / uid

    def source_dir(self, uid: str) -> Path:
        """Where a pod's volumes are whose files come from the API."""
        return (self.in_memory / uid if self.in_memory else self.pod_dir(uid)) / "volumes"

    def log_dir(self, namespace: str, name: str, uid: str) -> Path:
        return self.logs / f"{namespace}_{name}_{uid}"
