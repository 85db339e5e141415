"""The network of one node, as one value."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """Several nodes on one machine differ in all of these."""

    name: str  # of the node and of the nftables table
    bridge: str
    pods: str
    services: str
    node_ports: tuple[int, int]
    state: Path
    run: Path
    cluster_domain: str
    balancer_addresses: str
    api_port: int
    expose: str = ""  # the node's address at which node ports listen to others; 0.0.0.0 for all of them

    @property
    def gateway(self) -> IPv4Address:
        """The bridge's own address: the pods' router, and their way to the API."""
        return IPv4Network(self.pods).network_address + 1

    @property
    def prefix(self) -> int:
        return IPv4Network(self.pods).prefixlen
