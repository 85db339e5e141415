"""The commands on a real engine: node, kubeconfig, logs, exec, run, doctor, completion."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.conftest import IMAGE, Engine

pytestmark = pytest.mark.root

Done = subprocess.CompletedProcess[str]
SAY = 'echo "one $HOSTNAME"; echo "two $HOSTNAME"; exec sleep 1000'


class Cli:
    """wherry with this engine's settings in the environment, as a user has them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        settings = Path(engine.root / "settings.toml")
        settings.write_text((engine.root / "rn" / "config.toml").read_text())
        self.env: Mapping[str, str] = {**os.environ, "WHERRY_CONFIG": str(settings)}

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "wherry.cli", *words]

    def __call__(self, *words: str, stdin: str | None = None) -> Done:
        return subprocess.run(
            self.argv(*words), env=self.env, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )

    def open(self, *words: str) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        return subprocess.Popen(self.argv(*words), env=self.env, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture(scope="module")
def wherry(engine: Engine) -> Cli:
    return Cli(engine)


@pytest.fixture
def web(engine: Engine) -> Iterator[str]:
    """A Deployment of two replicas that have written two lines each."""
    container = {"name": "web", "image": IMAGE, "args": ["-c", SAY]}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    labels = {"app": "web"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
    engine.kubectl("apply", "-f", "-", stdin=json.dumps(deployment))
    engine.kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    yield "web"
    engine.kubectl("delete", "deployment", "web", "--timeout=40s")
    engine.kubectl("wait", "--for=delete", "pod", "-l", "app=web", "--timeout=40s")


def pods(engine: Engine) -> set[str]:
    return set(engine.kubectl("get", "pods", "-o", "name").replace("pod/", "").split())


def test_the_users_kubeconfig_gets_a_context_that_works(wherry: Cli, user_kubeconfig: Path) -> None:
    assert user_kubeconfig.stat().st_mode & 0o777 == 0o600
    name = json.loads(wherry("node", "status", "-o", "json").stdout)["name"]
    argv = ["kubectl", "--kubeconfig", str(user_kubeconfig), "--context", name, "get", "nodes", "-o", "name"]
    assert subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False).stdout == f"node/{name}\n"


def test_a_second_start_changes_nothing(wherry: Cli, user_kubeconfig: Path) -> None:
    before = (json.loads(wherry("node", "status", "-o", "json").stdout)["pid"], user_kubeconfig.read_text())
    again = wherry("node", "start")
    assert (again.returncode, " is up already " in again.stdout) == (0, True)
    assert (json.loads(wherry("node", "status", "-o", "json").stdout)["pid"], user_kubeconfig.read_text()) == before


def test_the_engine_holds_nothing_of_who_started_it(wherry: Cli) -> None:
    pid = json.loads(wherry("node", "status", "-o", "json").stdout)["pid"]
    process, run = Path(f"/proc/{pid}"), wherry.engine.root / "rn"
    assert os.getsid(pid) == pid
    assert [os.readlink(process / "fd" / str(each)) for each in range(3)] == [
        "/dev/null",
        *[str(run / "engine.out")] * 2,
    ]
    held = {os.readlink(each) for each in (process / "fd").iterdir() if each.is_symlink()}
    assert str(run / "start.lock") not in held
    assert (run / "config.toml").stat().st_mode & 0o777 == 0o600


def test_another_engine_is_told_who_has_the_state_the_directory_and_the_port(wherry: Cli, tmp_path: Path) -> None:
    pid = json.loads(wherry("node", "status", "-o", "json").stdout)["pid"]
    same = wherry("node", "run")
    assert (same.returncode, f"{wherry.engine.root}/st is in use by process {pid}" in same.stderr) == (1, True)
    other = wherry("node", "start", "--state", str(tmp_path / "st"), "--run-dir", str(tmp_path / "rn"))
    assert other.returncode == 1
    assert f"(pid {pid}): end it, or choose another port by --port" in other.stderr
    assert "Traceback" not in same.stderr + other.stderr
    assert not (tmp_path / "st").exists()


def test_logs_of_all_replicas_come_in_the_order_of_time(wherry: Cli, engine: Engine, web: str) -> None:
    done = wherry("logs", web, "--timestamps")
    names = pods(engine)
    lines = [line.split(" ") for line in done.stdout.splitlines()]
    assert {(pod, what, host) for pod, _, _, what, host in lines} == {
        (name, what, name) for name in names for what in ("one", "two")
    }
    assert [time for _, _, time, _, _ in lines] == sorted(time for _, _, time, _, _ in lines)
    (one,) = wherry("logs", f"pod/{min(names)}", "--grep", "^two").stdout.splitlines()
    assert one == f"two {min(names)}"
    assert len(wherry("logs", web, "--tail", "1").stdout.splitlines()) == 2


def test_replicas_that_come_later_join_the_logs(wherry: Cli, engine: Engine, web: str) -> None:
    following = wherry.open("logs", web, "--follow", "--no-prefix")
    assert following.stdout is not None
    seen = {following.stdout.readline().split()[1] for _ in range(4)}
    assert seen == pods(engine)
    engine.kubectl("scale", "deployment/web", "--replicas=3")
    assert following.stdout.readline().startswith("one ")
    joined = following.stdout.readline().split()[1]
    assert joined in pods(engine) - seen
    following.send_signal(signal.SIGINT)
    out, err = following.communicate(timeout=20)
    assert (following.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert f"{joined} joined" in err


def test_exec_passes_input_output_and_the_exit_code(wherry: Cli, web: str) -> None:
    done = wherry("exec", web, "-i", "--", "sh", "-c", "cat; echo done >&2; exit 7", stdin="in\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "in\n", "done\n")
    missing = wherry("exec", "wbe", "--", "true")
    assert (missing.returncode, "did you mean web?" in missing.stderr) == (1, True)


def test_exec_at_a_terminal_has_its_size_and_gives_it_back(wherry: Cli, web: str) -> None:
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 97, 0, 0))
    before = termios.tcgetattr(side)
    script = 'test -t 0 && echo terminal; read line; echo "got $line"; exit 5'
    argv = wherry.argv("exec", web, "-it", "--", "sh", "-c", script)
    child = subprocess.Popen(argv, env=wherry.env, stdin=side, stdout=side, stderr=side)
    said = b""
    while b"terminal" not in said:
        said += os.read(main, 1024)
    os.write(main, b"hello\r")
    while b"got hello" not in said:
        said += os.read(main, 1024)
    assert child.wait(20) == 5
    assert termios.tcgetattr(side) == before
    os.close(side)
    os.close(main)


def test_run_ends_with_the_commands_exit_code_and_leaves_nothing(wherry: Cli, engine: Engine) -> None:
    done = wherry("run", IMAGE, "-e", "COLOUR=blue", "--", "-c", "echo $COLOUR; exit 4")
    assert (done.returncode, done.stdout) == (4, "blue\n")
    piped = wherry("run", "-i", IMAGE, "--", "-c", "cat; exit 5", stdin="through\n")
    assert (piped.returncode, piped.stdout) == (5, "through\n")
    engine.kubectl("wait", "--for=delete", "pod", "-l", "wherry.io/run", "--timeout=20s")
    assert pods(engine) == set()


def test_run_publishes_a_port_and_ctrl_c_takes_all_of_it_away(wherry: Cli, engine: Engine) -> None:
    serve = "mkdir -p /tmp/www; echo hello > /tmp/www/index.html; echo up; exec httpd -f -p 5000 -h /tmp/www"
    running = wherry.open("run", "-p", f"{engine_port(engine)}:5000", IMAGE, "--", "-c", serve)
    assert running.stdout is not None
    assert running.stdout.readline() == "up\n"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert f":{engine_port(engine)}" in err
    engine.kubectl("wait", "--for=delete", "pod,service", "-l", "wherry.io/run", "--timeout=20s")
    assert pods(engine) == set()


def engine_port(engine: Engine) -> int:
    """A port of this test run's own."""
    return int(engine.options[engine.options.index("--port") + 1]) + 500


def test_run_says_at_once_why_an_image_does_not_start(wherry: Cli, engine: Engine) -> None:
    done = wherry("run", "registry.invalid/no-such:1")
    assert done.returncode == 1
    assert "registry.invalid/no-such:1 does not start: ErrImagePull" in done.stderr
    engine.kubectl("wait", "--for=delete", "pod", "-l", "wherry.io/run", "--timeout=20s")


def test_completion_knows_live_names(wherry: Cli, web: str) -> None:
    line = f"wherry logs {web[:2]}"
    env = {**wherry.env, "_WHERRY_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": "2"}
    argv = [sys.executable, "-c", "from wherry.cli import main; main(prog_name='wherry')"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert "plain,web" in done.stdout.splitlines()


def test_doctor_finds_the_node_well(wherry: Cli) -> None:
    done = wherry("doctor", "-o", "json")
    found = {each["code"]: each for each in json.loads(done.stdout)["findings"]}
    assert (done.returncode, found["node"]["level"], found["networks"]["level"]) == (0, "ok", "ok")


def test_logs_of_the_node_tell_when_it_was_ready(wherry: Cli) -> None:
    entries = [json.loads(line) for line in wherry("node", "logs", "-o", "json").stdout.splitlines()]
    assert any(entry["message"].startswith("ready: https://") for entry in entries)
    assert wherry("node", "logs", "-n", "1").stdout.count("\n") == 1


def test_pods_that_were_stopped_with_the_engine_run_again_after_two_starts_at_once(
    wherry: Cli, engine: Engine, web: str
) -> None:
    uids = engine.kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.uid}")
    stopped = wherry("node", "stop", "--pods")
    assert (stopped.returncode, "so are its pods" in stopped.stdout) == (0, True)
    bridge = engine.options[engine.options.index("--bridge") + 1]
    assert not Path("/sys/class/net", bridge).exists()
    assert not list((engine.root / "rn" / "containerd" / "runc").glob("*/*"))
    assert wherry("node", "status").returncode == 1
    with ThreadPoolExecutor(2) as both:
        starts = list(both.map(lambda _: wherry("node", "start"), range(2)))
    assert [start.returncode for start in starts] == [0, 0], starts
    assert sorted("already" in start.stdout for start in starts) == [False, True]
    engine.kubectl("wait", "--for=condition=Available", f"deployment/{web}", "--timeout=40s")
    assert wherry("exec", web, "--", "true").returncode == 0
    assert engine.kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.uid}") == uids


def test_a_full_disk_is_told_before_anything_is_written(wherry: Cli, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(small)], check=True)
    try:
        options = (
            "--state",
            str(small / "st"),
            "--run-dir",
            str(tmp_path / "rn"),
            "--port",
            str(engine_port(wherry.engine)),
        )
        done = wherry("node", "start", *options)
        assert done.returncode == 1
        assert f"{small}/st has 32 MiB left, 64 are needed: free some, or take another --state" in done.stderr
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
