"""A docker daemon of the tests' own, with a containerd of its own: no service is started, no bridge is made."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wherry-tests"
GO_PROGRAMS = _CACHE / "go" / "bin"
"""Where `make test` builds the clients that are Go modules."""

_START_SECONDS = 60.0
_CONTAINERD = """\
version = 2
root = "{root}/ctr/root"
state = "{root}/ctr/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{root}/ctr/c.sock"
"""


@dataclass(frozen=True)
class Docker:
    """A client of the private daemon. `path` is a PATH on which `docker` is that client."""

    root: Path
    path: str

    @property
    def env(self) -> dict[str, str]:
        more = {"DOCKER_HOST": f"unix://{self.root}/docker.sock", "DOCKER_CONFIG": str(self.root / "config")}
        return {**os.environ, **more, "PATH": self.path}

    def __call__(self, *words: str, check: bool = True, config: Path | None = None) -> str:
        """`config` is another directory of settings, with another login."""
        program = shutil.which("docker", path=self.path)
        assert program is not None
        argv = [program, *words]
        env = {**self.env, **({"DOCKER_CONFIG": str(config)} if config else {})}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=180, check=False)
        assert not check or done.returncode == 0, f"docker {words}: {done.stdout}{done.stderr}"
        return done.stdout + ("" if check else done.stderr)


def missing() -> str:
    """Why no private daemon can be started here; "" if one can."""
    if os.geteuid() != 0:
        return "a docker daemon needs root"
    programs = [name for name in ("dockerd", "containerd") if shutil.which(name) is None]
    return f"{programs[0]} is not installed; `make test` installs it" if programs else ""


@contextlib.contextmanager
def daemon() -> Iterator[Path]:
    """Its directory, in which `docker.sock` is. A short path: a socket's has 107 characters at most."""
    root = Path(tempfile.mkdtemp(prefix="wherry-docker-"))
    (root / "containerd.toml").write_text(_CONTAINERD.format(root=root))
    (root / "ctr").mkdir()
    flags = ("--data-root", f"{root}/data", "--exec-root", f"{root}/exec", "--pidfile", f"{root}/docker.pid")
    alone = ("--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")
    sockets = ("--host", f"unix://{root}/docker.sock", "--containerd", f"{root}/ctr/c.sock")
    try:
        with (
            _running(root, "containerd", "--config", f"{root}/containerd.toml", until=root / "ctr" / "c.sock"),
            _running(root, "dockerd", *flags, *alone, *sockets, until=root / "docker.sock"),
        ):
            yield root
    finally:
        shutil.rmtree(root)


@contextlib.contextmanager
def _running(root: Path, *argv: str, until: Path) -> Iterator[None]:
    log = root / f"{argv[0]}.log"
    with log.open("wb") as file:
        child = subprocess.Popen(argv, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not until.exists():
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.05)
            assert child.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < deadline, log.read_text()[-2000:]
        yield
    finally:
        child.terminate()
        child.wait(_START_SECONDS)


def built_in(root: Path) -> str:
    """A PATH with a client that has BuildKit built in, which is Debian 12's; "" without one."""
    program = "/usr/bin/docker"
    if not Path(program).exists() or not _version(program).startswith("20."):
        return ""
    return _with(root / "built-in", {"docker": program})


def with_buildx(root: Path) -> str:
    """A PATH with a client and, in the daemon's `config`, the buildx plugin that `make test` built; "" without one."""
    program, plugin = shutil.which("docker"), GO_PROGRAMS / "buildx"
    if program is None or not plugin.exists():
        return ""
    _with(root / "config" / "cli-plugins", {"docker-buildx": str(plugin)})
    return os.environ["PATH"]


def _version(program: str) -> str:
    done = subprocess.run([program, "version", "--format", "{{.Client.Version}}"], capture_output=True, text=True)
    return done.stdout.strip()


def _with(directory: Path, programs: dict[str, str]) -> str:
    directory.mkdir(parents=True)
    for name, target in programs.items():
        (directory / name).symlink_to(target)
    return f"{directory}:{os.environ['PATH']}"
