"""The user's kubeconfig as a file: whole, private, locked, his own."""

import os
import stat
import threading
from pathlib import Path

import pytest
import yaml

from wherry.config import Config
from wherry.host import user_kubeconfig
from wherry.host.kubeconfig_text import KubeconfigProblem
from wherry.host.sudo import Person, acting_as, again, invoking
from wherry.host.user_kubeconfig import location, put, take_out

NOBODY = Person(65534, 65534, "nobody", Path("/nonexistent"))


@pytest.fixture
def me(tmp_path: Path) -> Person:
    return Person(os.geteuid(), os.getegid(), "me", tmp_path)


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    own = {
        "clusters": [{"name": "wherry", "cluster": {"server": "https://127.0.0.1:6443"}}],
        "users": [{"name": "wherry", "user": {"client-key-data": "a2V5"}}],
    }
    (tmp_path / "engine").write_text(yaml.safe_dump(own))
    return tmp_path / "engine"


def test_the_context_goes_in_and_out(me: Person, engine: Path, tmp_path: Path) -> None:
    file = tmp_path / "home" / ".kube" / "config"
    assert put(file, me, engine, tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert not put(file, me, engine, tmp_path)
    assert not take_out(file, me, "wherry", Path("/another"))
    assert take_out(file, me, "wherry", tmp_path)
    assert yaml.safe_load(file.read_text())["contexts"] == []
    assert [each.name for each in file.parent.iterdir()] == ["config"]


def test_nothing_is_made_to_be_taken_out(me: Person, tmp_path: Path) -> None:
    assert not take_out(tmp_path / "none", me, "wherry", tmp_path)
    assert not (tmp_path / "none").exists()


def test_a_link_stays_one(me: Person, engine: Path, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("kind: Config\n")
    (tmp_path / "link").symlink_to("real")
    assert put(tmp_path / "link", me, engine, tmp_path)
    assert (tmp_path / "link").is_symlink()
    assert "wherry" in (tmp_path / "real").read_text()


def test_a_file_that_cannot_be_read_stays_as_it_was(me: Person, engine: Path, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("clusters: [\n")
    with pytest.raises(KubeconfigProblem, match="config: not YAML"):
        put(file, me, engine, tmp_path)
    assert file.read_text() == "clusters: [\n"
    assert not (tmp_path / "config.lock").exists()


def test_kubectls_lock_is_respected(me: Person, engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_kubeconfig, "LOCK_SECONDS", 0.0)
    (tmp_path / "config.lock").write_text("")
    with pytest.raises(KubeconfigProblem, match=r"config\.lock is there: if no kubectl runs"):
        put(tmp_path / "config", me, engine, tmp_path)
    assert not (tmp_path / "config").exists()
    assert (tmp_path / "config.lock").exists()


def test_many_writers_at_once_lose_nothing(me: Person, tmp_path: Path) -> None:
    def one(number: int) -> None:
        own = {
            "clusters": [{"name": f"n{number}", "cluster": {"server": "https://x.test"}}],
            "users": [{"name": f"n{number}", "user": {}}],
        }
        (tmp_path / f"engine{number}").write_text(yaml.safe_dump(own))
        put(tmp_path / "config", me, tmp_path / f"engine{number}", tmp_path / str(number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    contexts = yaml.safe_load((tmp_path / "config").read_text())["contexts"]
    assert {each["name"] for each in contexts} == {f"n{number}" for number in range(8)}


def test_the_first_file_of_the_variable_is_meant(me: Person) -> None:
    assert location({"KUBECONFIG": f":/a/one{os.pathsep}/b/two"}, me) == Path("/a/one")
    assert location({}, me) == me.home / ".kube" / "config"


@pytest.mark.root
def test_under_sudo_the_file_is_the_users_own(engine: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for directory in (tmp_path, *tmp_path.parents):
        if not directory.stat().st_mode & stat.S_IXOTH:  # pytest's own are closed to others
            directory.chmod(0o755)
    os.chown(home, NOBODY.uid, NOBODY.gid)
    file = home / ".kube" / "config"
    assert put(file, NOBODY, engine, tmp_path)
    for each in (file, file.parent):
        assert (each.stat().st_uid, each.stat().st_gid) == (NOBODY.uid, NOBODY.gid)
    assert os.geteuid() == 0


@pytest.mark.root
def test_under_sudo_a_users_link_leads_root_nowhere(engine: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for directory in (tmp_path, *tmp_path.parents):
        if not directory.stat().st_mode & stat.S_IXOTH:  # pytest's own are closed to others
            directory.chmod(0o755)
    os.chown(home, NOBODY.uid, NOBODY.gid)
    (tmp_path / "secret").write_text("kind: Config\n")
    (tmp_path / "secret").chmod(0o600)
    (home / "config").symlink_to(tmp_path / "secret")
    with pytest.raises(KubeconfigProblem, match="Permission denied"):
        put(home / "config", NOBODY, engine, tmp_path)
    assert (tmp_path / "secret").read_text() == "kind: Config\n"


@pytest.mark.root
def test_rights_come_back_after_a_failure() -> None:
    def fails() -> None:
        with acting_as(NOBODY):
            assert os.geteuid() == NOBODY.uid
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert (os.geteuid(), os.getegid()) == (0, 0)


def test_who_called_sudo_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert invoking({"SUDO_UID": "65534", "HOME": "/root"}).name == "nobody"
    assert invoking({"HOME": "/elsewhere"}).home == Path("/elsewhere")


def test_the_command_for_root_has_every_setting_and_the_kubeconfig() -> None:
    argv = again(["node", "start"], Config(port=7443, node_ports=(1, 2)), Path("/home/a/kc"))
    assert argv[0] == "sudo"
    assert argv[2:] == ["node", "start", "--port", "7443", "--node-ports", "1-2", "--kubeconfig", "/home/a/kc"]
