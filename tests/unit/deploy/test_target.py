"""Which cluster is meant: the node on this machine, by whichever kubeconfig its user may read."""

from pathlib import Path

import pytest
import yaml

from wherry.client.kubeconfig import KubeconfigError
from wherry.config import Config
from wherry.deploy import target
from wherry.deploy.target import NodeDown, choose


def kubeconfig(file: Path, name: str, server: str, current: str = "") -> None:
    content = {
        "clusters": [{"name": name, "cluster": {"server": server}}],
        "users": [{"name": name, "user": {"token": "t"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": current,
    }
    file.write_text(yaml.safe_dump(content))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(state=tmp_path, run=tmp_path / "run")


def test_the_node_is_meant_whatever_the_users_current_context(config: Config, tmp_path: Path) -> None:
    kubeconfig(tmp_path / "kubeconfig", "wherry", "https://127.0.0.1:6443")
    kubeconfig(tmp_path / "user", "prod", "https://prod.test", current="prod")
    found = choose(config, {"KUBECONFIG": str(tmp_path / "user")})
    assert (found.access.cluster.server, found.embedded) == ("https://127.0.0.1:6443", True)
    named = choose(config, {"KUBECONFIG": str(tmp_path / "user")}, context="prod")
    assert (named.access.cluster.server, named.embedded) == ("https://prod.test", False)


def test_who_may_not_read_roots_file_goes_by_the_context_in_their_own(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig(tmp_path / "kubeconfig", "wherry", "https://127.0.0.1:6443")
    kubeconfig(tmp_path / "user", "wherry", "https://127.0.0.1:6443", current="other")
    monkeypatch.setattr(target, "_readable", lambda path: False)
    found = choose(config, {"KUBECONFIG": str(tmp_path / "user")})
    assert (found.access.context, found.embedded) == ("wherry", True)
    kubeconfig(tmp_path / "user", "prod", "https://prod.test", current="prod")
    with pytest.raises(KubeconfigError, match='there is no context "wherry"'):
        choose(config, {"KUBECONFIG": str(tmp_path / "user")})


def test_a_node_that_never_ran_is_down(config: Config) -> None:
    with pytest.raises(NodeDown, match="`wherry node start` starts it"):
        choose(config, {})
