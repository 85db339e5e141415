"""What is wrong is said in a line or two, by an exit code that is not 0, and nothing has changed."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Engine, Slot

pytestmark = pytest.mark.root


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.strip().splitlines()


def kubectl(kubeconfig: Path, *words: str, stdin: str | None = None) -> Done:
    env = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    done = subprocess.run(
        ["kubectl", "--request-timeout=10s", *words], capture_output=True, text=True, timeout=60, env=env, input=stdin
    )
    return Done(done.returncode, done.stdout, done.stderr)


def wherry(*words: str) -> Done:
    argv = [sys.executable, "-m", "wherry.cli", *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    return Done(done.returncode, done.stdout, done.stderr)


def admin(engine: Engine) -> Path:
    return engine.root / "st" / "kubeconfig"


def everything(engine: Engine) -> str:
    """The names and revisions of what a user can write."""
    kinds = "configmaps,secrets,pods,deployments,services,serviceaccounts,namespaces"
    return engine.kubectl("get", kinds, "-A", "-o", "jsonpath={range .items[*]}{.metadata.uid}{'\\n'}{end}")


@pytest.fixture
def unchanged(engine: Engine) -> Iterator[None]:
    before = everything(engine)
    yield
    assert everything(engine) == before


# -- manifests


def manifest(**spec: Any) -> str:
    template = {
        "metadata": {"labels": {"app": "bad"}},
        "spec": {"containers": [{"name": "app", "image": "app:1", **spec.pop("container", {})}]},
    }
    spec = {"selector": {"matchLabels": {"app": "bad"}}, "template": template, **spec}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "bad"}, "spec": spec})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b: c\n", "mapping values are not allowed in this context"),
        ("\tkind: Pod\n", "found character that cannot start any token"),
        ("kind: Pod\n", "apiVersion not set"),
        (manifest(replica=3), 'strict decoding error: unknown field "spec.replica"'),
        (manifest(container={"imge": "x"}), 'unknown field "spec.template.spec.containers[0].imge"'),
        (
            manifest(replicas="three"),
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of",
        ),
        (manifest(replicas=-1), "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        (manifest(selector={"matchLabels": {"app": "other"}}), "`selector` does not match template `labels`"),
        (manifest(container={"ports": [{"containerPort": 99999}]}), "must be between 1 and 65535, inclusive"),
        (manifest(container={"image": ""}), "spec.template.spec.containers[0].image: Required value"),
        (
            manifest(container={"resources": {"limits": {"cpu": "lots"}}}),
            "quantities must match the regular expression",
        ),
    ],
)
@pytest.mark.usefixtures("unchanged")
def test_a_wrong_manifest_is_named_and_changes_nothing(engine: Engine, text: str, said: str) -> None:
    done = kubectl(admin(engine), "apply", "-f", "-", stdin=text)
    assert done.code == 1
    assert said in done.err
    assert len(done.lines) <= 2, done.err
    assert "Traceback" not in done.err + done.out


# -- kubeconfigs


def edited(engine: Engine, path: Path, **changes: str) -> Path:
    """The administrator's kubeconfig with other values."""
    whole = json.loads(admin(engine).read_text())
    for part in (whole["clusters"][0]["cluster"], whole["users"][0]["user"]):
        part.update({key: value for key, value in changes.items() if key in part})
    path.write_text(json.dumps(whole))
    return path


def foreign(engine: Engine, tmp: Path) -> dict[str, str]:
    """The credentials of another engine's authority, in the form of kubeconfigs."""
    script = (
        "import sys, base64, pathlib, datetime; from wherry.apiserver.certificates import Authority;"
        "a = Authority(pathlib.Path(sys.argv[1]), datetime.datetime.now(datetime.UTC));"
        "c = a.client('admin', 'kubernetes-admin', ['system:masters']);"
        "print(*(base64.b64encode(p.read_bytes()).decode() for p in (a.ca, c.certificate, c.key)))"
    )
    argv = [sys.executable, "-c", script, str(tmp / "pki")]
    made = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout.split()
    keys = ("certificate-authority-data", "client-certificate-data", "client-key-data")
    return dict(zip(keys, made, strict=True))


def test_a_kubeconfig_of_another_authority_is_refused(engine: Engine, tmp_path: Path) -> None:
    other = foreign(engine, tmp_path)
    ca = {"certificate-authority-data": other.pop("certificate-authority-data")}
    wrong_ca = kubectl(edited(engine, tmp_path / "a", **ca), "get", "pods")
    assert (wrong_ca.code, "certificate signed by unknown authority" in wrong_ca.err) == (1, True)
    wrong_user = kubectl(edited(engine, tmp_path / "b", **other), "get", "pods")
    assert (wrong_user.code, "remote error: tls: unknown certificate authority" in wrong_user.err) == (1, True)


def test_a_wrong_port_is_named(engine: Engine, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        done = kubectl(edited(engine, tmp_path / "a", server=f"https://127.0.0.1:{port}"), "get", "pods")
    assert done.code == 1
    assert f"The connection to the server 127.0.0.1:{port} was refused" in done.lines[-1]


# -- starts that cannot be


def other(slot: Slot, root: Path, **changes: str) -> Sequence[str]:
    """Options of a second engine beside the tests' own, on networks of its own."""
    words, number = list(slot.options(root)), slot.number
    own = {
        "bridge": f"we2x{number}",
        "pod_network": f"10.189.{4 * number}.0/22",
        "service_network": f"10.190.{number}.0/24",
        "port": str(slot.port + 100),
    }
    for flag, value in {**own, **changes}.items():
        words[words.index(f"--{flag.replace('_', '-')}") + 1] = value
    return words


def assert_refused(done: Done, *said: str) -> None:
    assert done.code == 1
    assert done.lines[0].startswith("Error: ")
    assert len(done.lines) <= 2, done.err
    for words in said:
        assert words in done.err
    assert "Traceback" not in done.err


@pytest.fixture
def elsewhere(slot: Slot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a second engine would live, a short path as sockets are in it; it must leave nothing that runs."""
    place = tmp_path_factory.mktemp("other")
    yield place
    assert not (place / "rn" / "ready").exists()


def test_a_port_in_use_is_named_with_its_holder(engine: Engine, slot: Slot, elsewhere: Path) -> None:
    done = wherry("node", "start", *other(slot, elsewhere, port=str(slot.port)))
    assert_refused(done, f"127.0.0.1:{slot.port} is taken by ", "choose another port by --port")
    assert not (elsewhere / "st").exists()
    assert engine.kubectl("get", "--raw=/readyz") == "ok"


def test_a_state_directory_has_one_engine(engine: Engine, slot: Slot, elsewhere: Path) -> None:
    words = other(slot, engine.root, run_dir=str(elsewhere / "rn"))
    done = wherry("node", "run", *words)
    assert_refused(done, f"{engine.root / 'st'} is in use by process ")
    assert engine.kubectl("get", "--raw=/readyz") == "ok"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pod_network": "10.0.0.0/33"}, "--pod-network"),
        ({"port": "70000"}, "--port"),
        ({"node_ports": "9-1"}, "--node-ports"),
        ({"state": "/dev/null/st"}, "/dev/null"),
        ({"service_network": "10.189.0.0/16"}, "--service-network"),
    ],
)
def test_a_wrong_setting_is_named(slot: Slot, elsewhere: Path, changes: dict[str, str], said: str) -> None:
    done = wherry("node", "start", *other(slot, elsewhere, **changes))
    assert done.code in (1, 2)
    assert said in done.err
    assert "Traceback" not in done.err
    assert len(done.lines) <= 4, done.err  # click puts the usage before a wrong option


# -- a full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "small"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(directory)], check=True)
    yield directory
    subprocess.run(["umount", str(directory)], check=True)


def test_a_full_disk_is_named_before_anything_is_written(slot: Slot, elsewhere: Path, small_disk: Path) -> None:
    words = other(slot, elsewhere, state=str(small_disk / "st"))
    done = wherry("node", "start", *words)
    assert_refused(done, f"{small_disk / 'st'} has 8 MiB left, 64 are needed")
    assert not (small_disk / "st").exists()
