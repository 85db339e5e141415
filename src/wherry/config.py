"""The engine's settings: one documented value, from defaults, a file, the environment and flags, in that order.

Only `engine` and `cli` read it; every room gets just what it needs as arguments.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of one engine. Several engines on one machine differ in `name`, `state`, port, bridge and networks.

    `docs/CONFIGURATION.md` is made from these fields and their comments.
    """

    name: str = "wherry"  # of the node, the kubeconfig context, the cgroup and the nftables table
    state: Path = Path("/var/lib/wherry")  # everything that must last: database, certificates, images
    run: Path = Path("/run/wherry")  # sockets and process ids
    listen: str = "127.0.0.1"  # where the API listens, beside the pods' bridge
    port: int = 6443
    bridge: str = "wherry0"  # the pods' bridge; 15 characters at most
    pods: str = "10.85.0.0/16"
    services: str = "10.86.0.0/16"
    node_ports: tuple[int, int] = (30000, 32767)
    balancer_addresses: str = "127.80.0.0/16"  # for a LoadBalancer whose port is taken on 127.0.0.1
    expose: str = ""  # an address of the node on which LoadBalancer and NodePort Services listen too
    cluster_domain: str = "cluster.local"
    max_pods: int = 250
    log_level: str = "info"
