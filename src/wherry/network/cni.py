"""How containerd wires pods: the CNI configuration (pure), and the bridge, route and forwarding that it relies on."""

import asyncio
import json
from pathlib import Path

from wherry import process
from wherry.network import nft
from wherry.network.settings import NetworkSettings

FILE = "10-wherry.conflist"


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
    await asyncio.to_thread(_write, directory, conflist(settings))
    bridge = settings.bridge
    if (await process.run("ip", "link", "show", "dev", bridge, check=False)).code:
        await process.run("ip", "link", "add", "name", bridge, "type", "bridge")
    await process.run("ip", "addr", "replace", f"{settings.gateway}/{settings.prefix}", "dev", bridge)
    await process.run("ip", "link", "set", "dev", bridge, "up")
    # Keeps the whole range on this machine: addresses without a Service are refused here and leak nowhere.
    await process.run("ip", "route", "replace", settings.services, "dev", bridge)
    await asyncio.to_thread(Path("/proc/sys/net/ipv4/ip_forward").write_text, "1\n", encoding="ascii")


async def clean(settings: NetworkSettings) -> None:
    """Take away the table and the bridge (its addresses and routes go with it)."""
    await nft.remove(settings.name)
    if not (await process.run("ip", "link", "show", "dev", settings.bridge, check=False)).code:
        await process.run("ip", "link", "delete", "dev", settings.bridge)


def _write(directory: Path, text: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    part = directory / f"{FILE}.part"  # containerd reads only what ends in .conf, .conflist or .json
    part.write_text(text, encoding="utf-8")
    part.replace(directory / FILE)
