"""What `doctor` needs to know of this machine. Everything is looked at, nothing is changed, nothing waits for long."""

import asyncio
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wherry.config import Config
from wherry.host.launch import Engine, running
from wherry.host.preflight import Route, missing_packages, routes
from wherry.host.processes import port_holder
from wherry.listeners import Process
from wherry.process import ProgramError, run

SECONDS = 5.0
SYSCTLS = (
    "net.ipv4.ip_forward",
    "fs.inotify.max_user_instances",
    "fs.inotify.max_user_watches",
    "net.netfilter.nf_conntrack_max",
)
FILESYSTEMS = ("overlay",)
MODULES = ("bridge", "veth", "nf_tables")
VERSIONS = {
    "containerd": ("containerd", "--version"),
    "runc": ("runc", "--version"),
    "crun": ("crun", "--version"),
    "haproxy": ("haproxy", "-v"),
    "nft": ("nft", "--version"),
}
_VERSION = re.compile(r"\bv?(\d+\.\d+(?:\.\d+)?(?:-rc\.?\d+)?)")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Empty values stand for what could not be found out."""

    root: bool = True
    kernel: str = ""
    cgroup: int = 2
    absent: tuple[str, ...] = ()  # parts of the kernel
    missing: Mapping[str, str] = field(default_factory=dict)  # programs and their packages
    versions: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)  # the distribution's own versions
    free_bytes: int = 1 << 40
    free_inodes: int = 1 << 20
    memory_bytes: int = 1 << 34
    sysctls: Mapping[str, int] = field(default_factory=dict)
    dropping: tuple[str, ...] = ()  # base chains for forwarded packets whose policy is to drop
    resolvers: tuple[str, ...] = ()
    synchronised: bool | None = None
    now: float = 0.0
    installed: float = 0.0  # when wherry's own files were written
    kubectl: str = ""
    routes: tuple[Route, ...] = ()
    holder: Process | None = None  # of the API's port
    engine: Engine | None = None
    answers: str | None = None  # None: not asked, "": it does, else why not
    variables: tuple[str, ...] = ()  # WHERRY_* that are set


async def collect(config: Config, environment: Mapping[str, str]) -> Facts:
    """Look at everything, side by side."""
    root = os.geteuid() == 0
    try:
        engine = running(config)
    except PermissionError:
        engine = None
    names = list(VERSIONS)
    *versions, packages, dropping, synchronised, kubectl = await asyncio.gather(
        *(_said(*VERSIONS[name]) for name in names),
        _said("dpkg-query", "-W", "-f", "${Package} ${Version}\n", "runc", "containerd"),
        _said("nft", "-j", "list", "chains"),
        _said("timedatectl", "show", "-p", "NTPSynchronized", "--value"),
        _said("kubectl", "version", "--client", "-o", "json"),
    )
    there = next(path for path in (config.state, *config.state.parents) if path.exists())
    disk = os.statvfs(there)
    return Facts(
        root=root,
        kernel=platform.release(),
        cgroup=_cgroup(),
        absent=tuple(_absent()),
        missing=missing_packages(),
        versions={name: version(text) for name, text in zip(names, versions, strict=True) if text},
        packages=dict(line.split(None, 1) for line in packages.splitlines() if " " in line),
        free_bytes=shutil.disk_usage(there).free,
        free_inodes=disk.f_favail if disk.f_files else 1 << 20,
        memory_bytes=_memory(),
        sysctls={name: value for name in SYSCTLS if (value := _sysctl(name)) is not None},
        dropping=dropping_chains(dropping),
        resolvers=resolvers(_read("/etc/resolv.conf")),
        synchronised={"yes": True, "no": False}.get(synchronised.strip()),
        now=time.time(),
        installed=_installed(),
        kubectl=client_version(kubectl),
        routes=tuple(routes()),
        holder=None if engine else await asyncio.to_thread(port_holder, config.port),
        engine=engine,
        variables=tuple(sorted(name for name in environment if name.startswith("WHERRY_"))),
    )


def version(text: str) -> str:
    """The first version number in what a program says of itself."""
    found = _VERSION.search(text)
    return found[1] if found else ""


def client_version(text: str) -> str:
    try:
        return version(json.loads(text)["clientVersion"]["gitVersion"])
    except (ValueError, KeyError, TypeError):
        return ""


def dropping_chains(text: str) -> tuple[str, ...]:
    """Base chains at the forward hook that drop what no rule accepts: Docker's, a firewall's."""
    try:
        chains = [each["chain"] for each in json.loads(text)["nftables"] if "chain" in each]
    except (ValueError, KeyError, TypeError):
        return ()
    return tuple(
        f"{chain['family']} {chain['table']} {chain['name']}"
        for chain in chains
        if chain.get("hook") == "forward" and chain.get("policy") == "drop"
    )


def resolvers(text: str) -> tuple[str, ...]:
    lines = (line.split() for line in text.splitlines())
    return tuple(words[1] for words in lines if len(words) > 1 and words[0] == "nameserver")


async def _said(*argv: str) -> str:
    """What a program prints; "" where it is missing or fails."""
    try:
        return (await run(*argv, timeout=SECONDS)).stdout
    except ProgramError:
        return ""


def _cgroup() -> int:
    return 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1


def _installed() -> float:
    return Path(__file__).stat().st_mtime


def _absent() -> list[str]:
    """Parts of the kernel that are neither there nor can be loaded."""
    known = _read("/proc/filesystems").split()
    absent = [name for name in FILESYSTEMS if name not in known and not _loadable(name)]
    return absent + [name for name in MODULES if not _builtin(name) and not _loadable(name)]


def _builtin(name: str) -> bool:
    """What is compiled into the kernel is in no list of modules; its parameters or symbols tell."""
    if Path(f"/sys/module/{name}").exists():
        return True
    release = platform.release()
    if f"/{name}.ko" in _read(f"/lib/modules/{release}/modules.builtin"):
        return True
    return not Path(f"/lib/modules/{release}").exists()  # a kernel without modules: no way to tell


def _loadable(name: str) -> bool:
    return f"/{name.replace('_', '-')}.ko" in _read(f"/lib/modules/{platform.release()}/modules.dep").replace("_", "-")


def _sysctl(name: str) -> int | None:
    try:
        return int(_read(f"/proc/sys/{name.replace('.', '/')}"))
    except ValueError:
        return None


def _memory() -> int:
    found = re.search(r"MemAvailable:\s+(\d+) kB", _read("/proc/meminfo"))
    return int(found[1]) * 1024 if found else 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
