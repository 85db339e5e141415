"""Kubeconfigs, as kubectl reads them."""

import base64
import json
import os
from pathlib import Path

import pytest

from wherry.client.credentials import Credentials
from wherry.client.kubeconfig import Access, Kubeconfig, KubeconfigError, User, default_paths, load

ONE = """
current-context: a
clusters:
- {name: c, cluster: {server: "https://one:6443/", insecure-skip-tls-verify: true, tls-server-name: inner}}
users:
- {name: u, user: {token: secret}}
contexts:
- {name: a, context: {cluster: c, user: u, namespace: shop}}
"""
TWO = """
current-context: b
clusters:
- {name: c, cluster: {server: "https://two:6443"}}
contexts:
- {name: a, context: {cluster: c, user: nobody}}
- {name: b, context: {cluster: c}}
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def user(path: Path, text: str) -> Access:
    head = "clusters: [{name: c, cluster: {server: 'http://one'}}]\n"
    head += "contexts: [{name: a, context: {cluster: c, user: u}}]\n"
    return load([written(path / "config", f"{head}users: [{{name: u, user: {text}}}]\n")]).only()


def test_a_context_names_cluster_user_and_namespace(tmp_path: Path) -> None:
    access = load([written(tmp_path / "one", ONE)]).access("a")
    assert access.cluster.server == "https://one:6443"
    assert (access.cluster.insecure, access.cluster.server_name) == (True, "inner")
    assert (access.user, access.namespace) == (User(token="secret"), "shop")


def test_of_several_files_the_first_that_names_something_decides(tmp_path: Path) -> None:
    merged = load([written(tmp_path / "one", ONE), tmp_path / "missing", written(tmp_path / "two", TWO)])
    assert merged.current == "a"
    assert merged.access("a").user.token == "secret"
    assert merged.access("b").cluster.server == "https://one:6443"


def test_kubectl_s_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert default_paths({}) == [Path("/home/me/.kube/config")]
    assert default_paths({"KUBECONFIG": f"/a{os.pathsep}{os.pathsep}/b"}) == [Path("/a"), Path("/b")]


def test_an_unknown_context_names_those_that_there_are(tmp_path: Path) -> None:
    known = load([written(tmp_path / "one", ONE), written(tmp_path / "two", TWO)])
    with pytest.raises(KubeconfigError, match=r'there is no context "x" in .*; there are: a, b'):
        known.access("x")
    with pytest.raises(KubeconfigError, match=r"name a context .* there are: a, b"):
        known.only()
    with pytest.raises(KubeconfigError, match="it has no contexts at all"):
        Kubeconfig((), {}, {}, {}).access("x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clusters: [", r"config:\d+: this is no YAML"),
        ("kind: Pod", "this is no kubeconfig"),
        ("contexts: [{name: a, context: {cluster: gone}}]", 'names the cluster "gone", which is not there'),
        ("clusters: [{cluster: {}}]", "an item of clusters has no name"),
        ("clusters: [{name: c, cluster: {server: one}}]\ncontexts: [{name: a, context: {cluster: c}}]", "no http"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(KubeconfigError, match=said):
        load([written(tmp_path / "config", text)]).only()


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="does not exist"):
        load([tmp_path / "none"], must_exist=True)


def test_certificates_come_as_data_or_in_files_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "crt").write_bytes(b"certificate")
    data = base64.b64encode(b"key").decode()
    access = user(tmp_path, f"{{client-certificate: crt, client-key-data: {data}}}")
    assert (access.user.certificate, access.user.key) == (b"certificate", b"key")
    with pytest.raises(KubeconfigError, match="client-certificate gone cannot be read: No such file"):
        user(tmp_path, "{client-certificate: gone}")
    with pytest.raises(KubeconfigError, match="client-key-data is no base64"):
        user(tmp_path, "{client-certificate: crt, client-key-data: '!'}")
    with pytest.raises(KubeconfigError, match="without its key"):
        user(tmp_path, "{client-certificate: crt}")


def test_secrets_are_not_in_the_repr(tmp_path: Path) -> None:
    assert "hunter2" not in repr(user(tmp_path, "{token: hunter2, password: hunter2}"))


async def test_impersonation_and_basic_credentials_become_headers(tmp_path: Path) -> None:
    access = user(tmp_path, "{username: me, password: pw, as: you, as-groups: [g, h], as-user-extra: {k: [v]}}")
    shown = await Credentials(access).shown()
    assert shown.headers == (
        ("Impersonate-User", "you"),
        ("Impersonate-Group", "g"),
        ("Impersonate-Group", "h"),
        ("Impersonate-Extra-k", "v"),
        ("Authorization", "Basic " + base64.b64encode(b"me:pw").decode()),
    )


async def test_a_token_file_is_read_each_time(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one\n")
    credentials = Credentials(user(tmp_path, "{tokenFile: token, token: stale}"))
    assert (await credentials.shown()).headers == (("Authorization", "Bearer one"),)
    (tmp_path / "token").write_text("two\n")
    assert (await credentials.shown()).headers == (("Authorization", "Bearer two"),)


def plugin(tmp_path: Path, script: str) -> Credentials:
    file = written(tmp_path / "plugin", f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)
    return Credentials(user(tmp_path, "{exec: {command: ./plugin, args: [a], env: [{name: MINE, value: mine}]}}"))


async def test_an_exec_plugin_is_asked_until_its_credential_ends(tmp_path: Path) -> None:
    past = json.dumps({"status": {"token": "t", "expirationTimestamp": "2020-01-01T00:00:00Z"}})
    credentials = plugin(tmp_path, f"echo \"$1 $MINE\" >> {tmp_path}/asked; echo '{past}'")
    assert (await credentials.shown()).headers == (("Authorization", "Bearer t"),)
    await credentials.shown()
    assert (tmp_path / "asked").read_text() == "a mine\na mine\n"


async def test_an_exec_plugin_that_is_refused_is_asked_again(tmp_path: Path) -> None:
    credentials = plugin(tmp_path, f'echo asked >> {tmp_path}/asked; echo \'{{"status": {{"token": "t"}}}}\'')
    await credentials.shown()
    await credentials.shown()
    credentials.renew()
    await credentials.shown()
    assert (tmp_path / "asked").read_text() == "asked\nasked\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo broken", "printed no ExecCredential"),
        ("echo '{}'", "gave no token"),
        ("echo why >&2; exit 2", "exit 2: why"),
    ],
)
async def test_an_exec_plugin_that_fails_is_named(tmp_path: Path, script: str, said: str) -> None:
    with pytest.raises(KubeconfigError, match=said):
        await plugin(tmp_path, script).shown()


async def test_a_missing_exec_plugin_says_how_to_get_it(tmp_path: Path) -> None:
    access = user(tmp_path, "{exec: {command: no-such-plugin, installHint: get it there}}")
    with pytest.raises(KubeconfigError, match="no-such-plugin is not on this machine: get it there"):
        await Credentials(access).shown()
