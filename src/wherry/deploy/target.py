"""Which cluster is meant: the node on this machine unless another is named. Never a kubeconfig's current context."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from wherry.client.kubeconfig import Access, Kubeconfig, KubeconfigError, default_paths, load
from wherry.config import Config


class NodeDown(KubeconfigError):
    """The node on this machine is meant, and it is not up."""


@dataclass(frozen=True)
class Target:
    """How the cluster is reached. `containerd` is the socket of the embedded node's containerd, "" for any other."""

    access: Access
    containerd: str = ""

    @property
    def embedded(self) -> bool:
        return bool(self.containerd)

    def __str__(self) -> str:
        where = "the node on this machine" if self.embedded else f"context {self.access.context}"
        return f"{where} ({self.access.cluster.server})"


def choose(
    config: Config,
    environ: Mapping[str, str],
    *,
    context: str = "",
    kubeconfig: Path | None = None,
    namespace: str = "",
) -> Target:
    """The cluster that these flags mean. Raises KubeconfigError, as NodeDown where the embedded node has never run."""
    if is_embedded(config, context, kubeconfig):
        target = _embedded(config, environ)
    else:
        paths = [kubeconfig] if kubeconfig is not None else default_paths(environ)
        known: Kubeconfig = load(paths, must_exist=kubeconfig is not None)
        target = Target(known.access(context) if context else known.only())
    return replace(target, access=replace(target.access, namespace=namespace)) if namespace else target


def is_embedded(config: Config, context: str = "", kubeconfig: Path | None = None) -> bool:
    """Whether these flags mean the node on this machine."""
    return kubeconfig is None and context in ("", config.name)


def _embedded(config: Config, environ: Mapping[str, str]) -> Target:
    """By the administrator's kubeconfig, or by the context in the user's own where that one is root's."""
    path = config.state / "kubeconfig"
    try:
        there = path.exists()
    except PermissionError:
        there = True  # reading it says what is wrong
    if not there:
        raise NodeDown(f"the node {config.name} is not up: `wherry node start` starts it")
    own = load([path], must_exist=True).only() if _readable(path) else load(default_paths(environ)).access(config.name)
    return Target(own, str(config.run / "containerd" / "containerd.sock"))


def _readable(path: Path) -> bool:
    return os.access(path, os.R_OK)
