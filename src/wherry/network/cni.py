"""How containerd wires pods: the CNI configuration (pure), and the bridge, route and forwarding that it relies on."""

import asyncio
import json
from pathlib import Path

from wherry import files, process
from wherry.network import nft
from wherry.network.libnftables import Nftables
from wherry.network.settings import NetworkSettings

FILE = "10-wherry.conflist"
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_LINKS = Path("/sys/class/net")
_WAS_OFF = "forwarding-was-off"


def conflist(settings: NetworkSettings) -> str:
    """The network list for the bridge and host-local plugins."""
    bridge = {
        "type": "bridge",
        "bridge": settings.bridge,
        "isGateway": True,
        "ipMasq": False,  # the nftables table does it
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": settings.pods, "gateway": str(settings.gateway)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": str(settings.run / "addresses"),  # gone at a reboot, like the pods that held them
        },
    }
    return json.dumps({"cniVersion": "0.4.0", "name": "wherry", "plugins": [bridge]}, indent=2) + "\n"


async def prepare(settings: NetworkSettings, directory: Path) -> None:
    """Write the configuration into `directory`; make bridge, route and forwarding be there. May be repeated."""
    await asyncio.to_thread(files.write, directory / FILE, conflist(settings), mode=files.ANYONE)
    bridge = settings.bridge
    there = await asyncio.to_thread((_LINKS / bridge).exists)
    orders = [] if there else [f"link add name {bridge} type bridge"]
    orders += [
        f"addr replace {settings.gateway}/{settings.prefix} dev {bridge}",
        f"link set dev {bridge} up",
        # Keeps the whole range on this machine: addresses without a Service are refused here and leak nowhere.
        f"route replace {settings.services} dev {bridge}",
    ]
    await process.run("ip", "-batch", "-", stdin="\n".join([*orders, ""]).encode())
    await asyncio.to_thread(_forward, directory / _WAS_OFF)


async def clean(settings: NetworkSettings, directory: Path) -> None:
    """Take away the table and the bridge (its addresses and routes go with it), and forwarding if that was ours."""
    await asyncio.to_thread(_take_away, nft.removal(settings.name))
    if not (await process.run("ip", "link", "show", "dev", settings.bridge, check=False)).code:
        await process.run("ip", "link", "delete", "dev", settings.bridge)
    note = directory / _WAS_OFF
    if await asyncio.to_thread(note.exists):
        # Who has a bridge (Docker, libvirt, another node) may have found forwarding on and rely on it by now.
        others = await process.run("ip", "-o", "link", "show", "type", "bridge")
        if not others.stdout.strip():
            await asyncio.to_thread(_FORWARDING.write_text, "0\n", encoding="ascii")
        await asyncio.to_thread(note.unlink)


def _take_away(table: str) -> None:
    with Nftables() as nftables:
        nftables.run(table)


def _forward(note: Path) -> None:
    """Let this host forward packets, and note it if it did not before."""
    if _FORWARDING.read_text("ascii").strip() != "1":
        note.touch(mode=0o600)
        _FORWARDING.write_text("1\n", encoding="ascii")
