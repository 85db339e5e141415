"""What else on this host decides about pods' packets: found and told, never changed, as it is not ours."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

from wherry import process

_LEGACY = Path("/proc/net/ip_tables_names")


@dataclass(frozen=True)
class Finding:
    """`remedy` says what the administrator may do."""

    problem: str
    remedy: str


def filter_bridged(bridge: str) -> bool:
    """Make packets between ports of our bridge pass the nat chains, where the kernel can (br_netfilter is loaded).

    Then a pod sees who calls it by a Service, and not the bridge. Blocking.
    """
    try:
        Path(f"/sys/class/net/{bridge}/bridge/nf_call_iptables").write_text("1", encoding="ascii")
    except OSError:
        return False
    return True


async def findings(bridge: str) -> list[Finding]:
    """Firewalls that keep pods from each other or from the outside.

    No table can overrule another's drop: accepting here would not help.
    """
    dropping = []
    listed = await process.run("nft", "-j", "list", "chains", check=False)
    if not listed.code:
        dropping = forward_drops(listed.stdout)
    if "filter" in await asyncio.to_thread(_legacy_tables):
        rules = await process.run("iptables-legacy", "-S", "FORWARD", check=False)
        if rules.stdout.startswith("-P FORWARD DROP"):
            dropping.append("iptables-legacy filter FORWARD")
    return [Finding(f"the firewall drops what is forwarded ({each})", _remedy(each, bridge)) for each in dropping]


def _legacy_tables() -> list[str]:
    return _LEGACY.read_text("ascii").split() if _LEGACY.exists() else []


def forward_drops(listing: str) -> list[str]:
    """Chains that see what is forwarded and drop what no rule of theirs accepts, of `nft -j list chains`."""
    chains = (item["chain"] for item in json.loads(listing)["nftables"] if "chain" in item)
    return [
        f"{chain['family']} {chain['table']} {chain['name']}"
        for chain in chains
        if chain.get("hook") == "forward" and chain.get("policy") == "drop" and chain["family"] in ("ip", "inet")
    ]


def _remedy(chain: str, bridge: str) -> str:
    if chain.endswith(" FORWARD"):
        accept = " && ".join(f"iptables -I FORWARD {flag} {bridge} -j ACCEPT" for flag in ("-i", "-o"))
        return f"accept the pods' bridge: `{accept}` (with ufw: `ufw route allow in on {bridge}` and `out on {bridge}`)"
    return f"accept what comes from and goes to {bridge} in that chain (firewalld: put {bridge} into the trusted zone)"
