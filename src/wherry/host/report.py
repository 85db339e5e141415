"""What `wherry node status` tells of the engine."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wherry.config import Config
from wherry.host.engine_log import path as log_path
from wherry.host.launch import Engine, settings_file
from wherry.host.processes import resident, started
from wherry.version import KUBERNETES_VERSION, __version__


def of(config: Config, engine: Engine | None) -> dict[str, Any]:
    """The facts, as they are printed in JSON. Keys are only ever added."""
    found: dict[str, Any] = {
        "name": config.name,
        "up": engine is not None,
        "ready": engine is not None and engine.ready,
        "pid": engine.pid if engine else None,
        "since": _since(engine),
        "memoryBytes": resident(engine.pid) if engine else 0,
        "containerdPid": _containerd(config.run / "containerd" / "containerd.pid"),
        "api": f"https://{config.listen}:{config.port}",
        "version": __version__,
        "kubernetesVersion": KUBERNETES_VERSION,
    }
    files = {"state": config.state, "kubeconfig": config.state / "kubeconfig", "log": log_path(config)}
    files |= {"settings": settings_file(config)}
    return found | {key: str(file) for key, file in files.items()}


def text(found: dict[str, Any]) -> str:
    if not found["up"]:
        pods = "; its pods run on" if found["containerdPid"] else ""
        return f"{found['name']} is down{pods}\nlog         {found['log']}"
    state = "up" if found["ready"] else "starting"
    memory = f", {found['memoryBytes'] >> 20} MiB" if found["memoryBytes"] else ""
    lines = [f"{found['name']} is {state} (pid {found['pid']}, since {found['since']}{memory})"]
    lines += [f"{label:<12}{found[label.lower()]}" for label in ("API", "kubeconfig", "state", "log")]
    return "\n".join(lines)


def _since(engine: Engine | None) -> str | None:
    try:
        moment = started(engine.pid) if engine else None
    except OSError:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds") if moment else None


def _containerd(pidfile: Path) -> int | None:
    try:
        pid = int(pidfile.read_text().split()[0])
        alive = Path(f"/proc/{pid}/comm").read_text().strip() == "containerd"
    except (OSError, ValueError, IndexError):
        return None
    return pid if alive else None
