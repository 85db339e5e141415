"""The process of a containerd of the node's own: its config, its launch, and how it is found again.

Light to import, so that a start can launch containerd first and load the rest while it gets ready. The pidfile holds
the process's start time too, as a pid alone may be another's by now.
"""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wherry.node.oci_runtime import AUTO, SECCOMP_FILTER, choose
from wherry.process import finish, given

SANDBOX_IMAGE = "wherry.local/sandbox:2"
_PROGRAM = "containerd"
_END_SECONDS = 10.0
_ANSWER_BYTES = 64 << 20  # lists have the annotations of all containers, and a compiled filter is one of them
CNI_BIN = (Path("/usr/lib/cni"),)
_LOG_BYTES = 10 << 20
# What a node does not use, or what would only probe for devices at each start.
_DISABLED = (
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.internal.v1.opt",
    "io.containerd.internal.v1.restart",
    "io.containerd.internal.v1.tracing",
    "io.containerd.tracing.processor.v1.otlp",
)
# The shell writes the pidfile: this process may die at any time, and a containerd that nobody knows holds its lock.
_LAUNCH = """
log=$1 pidfile=$2; shift 2
setsid "$@" </dev/null >>"$log" 2>&1 &
set -- $(cat /proc/$!/stat) && echo "$1 ${22}" >"$pidfile"
"""


def _launch(argv: Sequence[str]) -> None:
    """Without pipes: containerd must not inherit one, or whoever reads it would wait for containerd's end."""
    subprocess.run(
        ("sh", "-c", _LAUNCH, "sh", *argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=30,
    )


@dataclass(frozen=True)
class Process:
    """A process that cannot be mistaken for a later one of the same pid."""

    pid: int
    started: int  # field 22 of /proc/PID/stat, in clock ticks since boot

    def alive(self) -> bool:
        return find_process(self.pid) == self


def find_process(pid: int) -> Process | None:
    """The living process of that pid; a zombie is not alive."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else Process(pid, int(fields[19]))


def render_config(
    root: Path, state: Path, cni_conf: Path, cni_bin: Sequence[Path], registry: Path, oci_runtime: str
) -> str:
    """containerd's config (version 2). JSON strings are TOML strings.

    Every `stats_collect_period` containerd walks the files of all containers, for a disk usage that nothing asks for.
    """
    cri = '[plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = {json.dumps(str(root))}
state = {json.dumps(str(state))}
disabled_plugins = {json.dumps(list(_DISABLED))}

[grpc]
address = {json.dumps(str(state / "containerd.sock"))}
max_send_message_size = {_ANSWER_BYTES}

{cri}]
sandbox_image = {json.dumps(SANDBOX_IMAGE)}
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
stream_server_address = "127.0.0.1"
stream_server_port = "0"
stats_collect_period = 3600

{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
pod_annotations = {json.dumps([SECCOMP_FILTER])}
container_annotations = {json.dumps([SECCOMP_FILTER])}

{cri}.containerd.runtimes.runc.options]
BinaryName = {json.dumps(oci_runtime)}
Root = {json.dumps(str(state / Path(oci_runtime).name))}

{cri}.cni]
bin_dir = {json.dumps(":".join(map(str, cni_bin)))}
conf_dir = {json.dumps(str(cni_conf))}

{cri}.registry]
config_path = {json.dumps(str(registry))}
"""


class ContainerdProcess:
    """The private containerd with its data in `root` (kept) and its sockets, mounts and shims' state in `state`."""

    def __init__(
        self,
        root: Path,
        state: Path,
        cni_conf: Path,
        *,
        cni_bin: Sequence[Path] = CNI_BIN,
        registry_config: Path | None = None,
        oci_runtime: str = AUTO,
    ) -> None:
        self.root = root
        self.state = state
        self.log = root / "containerd.log"
        self.config = root / "containerd.toml"
        self.pidfile = state / "containerd.pid"
        self._cni_conf, self._cni_bin = cni_conf, cni_bin
        self._registry = registry_config or root / "certs.d"
        self._oci_runtime = oci_runtime

    def find(self) -> Process | None:
        """The one that runs, if it does."""
        try:
            pid, started = map(int, self.pidfile.read_text().split())
        except (FileNotFoundError, ValueError):
            return None
        known = Process(pid, started)
        return known if known.alive() else None

    def forgotten(self) -> list[Process]:
        """Those that run with this config and that no pidfile names any more, as its directory was removed."""
        known = self.find()
        ours = (find_process(pid) for pid, name in given("-c", str(self.config)) if name == _PROGRAM)
        return [one for one in ours if one and one != known]

    def end_forgotten(self) -> None:
        """One of them would hold the lock of all data, behind a socket that nobody finds. Blocking."""
        for process in self.forgotten():
            finish(process.pid, _END_SECONDS)

    def configured(self) -> bool:
        """Whether the config on disk is the one that is wanted. Raises ProgramError without the OCI runtime wanted."""
        return self.config.exists() and self.config.read_text() == self._wanted()

    def launch(self) -> Process | None:
        """Start one; None if it ended at once. Blocking, but never long. Only where `find` has found none.

        Raises ProgramError without the OCI runtime wanted.
        """
        for path in (self.root, self.state):
            path.mkdir(parents=True, exist_ok=True, mode=0o711)
        self.config.write_text(self._wanted())
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        self.end_forgotten()
        _launch((str(self.log), str(self.pidfile), _PROGRAM, "-c", str(self.config), "-l", "warn"))
        return self.find()

    def _wanted(self) -> str:
        runtime = choose(self._oci_runtime, self.state / "oci")
        return render_config(self.root / "data", self.state, self._cni_conf, self._cni_bin, self._registry, runtime)
