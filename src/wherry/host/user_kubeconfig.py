"""The user's kubeconfig as a file: changed under kubectl's own lock, written whole or not at all, its owner's alone."""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from wherry import files
from wherry.host.kubeconfig_text import Edit, Entry, KubeconfigProblem, merged, without
from wherry.host.sudo import Person, acting_as

LOCK_SECONDS = 5.0
LARGEST = 16 << 20


def location(environment: Mapping[str, str], person: Person) -> Path:
    """Where a context goes: the first file of KUBECONFIG, or the one in the user's home."""
    named = [part for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part]
    return Path(named[0]).absolute() if named else person.home / ".kube" / "config"


def put(file: Path, person: Person, engine: Path, state: Path) -> bool:
    """Merge the context of the kubeconfig `engine` into `file`; whether anything changed. Raises KubeconfigProblem."""
    entry = _entry(engine, state)
    return _edit(file, person, lambda text: merged(text, entry))


def take_out(file: Path, person: Person, name: str, state: Path) -> bool:
    """Take the engine's context out again; whether it was there. Raises KubeconfigProblem."""
    with acting_as(person):
        there = file.exists()
    return there and _edit(file, person, lambda text: without(text, name, str(state)))


def _entry(engine: Path, state: Path) -> Entry:
    try:
        own = yaml.safe_load(engine.read_text("utf-8"))
    except OSError as error:
        raise KubeconfigProblem(f"{engine} cannot be read: {error.strerror}") from None
    (cluster,), (user,) = own["clusters"], own["users"]
    return Entry(name=cluster["name"], cluster=cluster["cluster"], user=user["user"], state=str(state))


def _edit(file: Path, person: Person, edit: Edit) -> bool:
    try:
        with acting_as(person):
            real = file.resolve()  # a link stays one
            real.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _locked(real):
                return _rewrite(real, edit)
    except KubeconfigProblem as error:
        raise KubeconfigProblem(f"{file}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise KubeconfigProblem(f"{file}: {getattr(error, 'strerror', None) or error}") from None


def _rewrite(file: Path, edit: Edit) -> bool:
    old = _read(file)
    new = edit(old)
    if new == old:
        return False
    with files.replacing(file, sync=True) as stream:
        _keep_owner(file, stream.fileno())
        stream.write(new.encode())
    return True


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as stream:
            text = stream.read(LARGEST + 1)
    except FileNotFoundError:
        return ""
    if len(text) > LARGEST:
        raise KubeconfigProblem("too large for a kubeconfig")
    return text


def _keep_owner(file: Path, descriptor: int) -> None:
    """Root itself may be editing another user's file, named by KUBECONFIG."""
    with contextlib.suppress(FileNotFoundError):
        owner = file.stat()
        if os.geteuid() == 0:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """The lock that kubectl takes for the same file: FILE.lock, made by whoever has it."""
    lock = file.with_name(file.name + ".lock")
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except FileExistsError:
            if time.monotonic() > end:
                raise KubeconfigProblem(f"{lock} is there: if no kubectl runs that writes it, remove it") from None
            time.sleep(0.02)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
