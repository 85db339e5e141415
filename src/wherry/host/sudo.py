"""Who asks, when root acts for a user: whose files they are, and the command that would ask again as root."""

import contextlib
import os
import pwd
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wherry.config import SETTINGS, Config


@dataclass(frozen=True)
class Person:
    """The user in whose home and name a file is written."""

    uid: int
    gid: int
    name: str
    home: Path


def invoking(environment: Mapping[str, str]) -> Person:
    """Who called sudo, or else who runs this process."""
    uid = os.geteuid()
    by_sudo = environment.get("SUDO_UID", "")
    if uid == 0 and by_sudo.isdigit() and by_sudo != "0":
        with contextlib.suppress(KeyError):
            return _person(pwd.getpwuid(int(by_sudo)))
    home = environment.get("HOME")
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Person(uid, os.getegid(), str(uid), Path(home or "/"))
    person = _person(entry)
    return Person(person.uid, person.gid, person.name, Path(home)) if home else person


@contextlib.contextmanager
def acting_as(person: Person) -> Iterator[None]:
    """Touch files with this user's rights: what is made is theirs, and a link of theirs leads root nowhere."""
    uid, gid, groups = os.geteuid(), os.getegid(), os.getgroups()
    if uid == person.uid or uid != 0:
        yield
        return
    os.initgroups(person.name, person.gid)
    os.setegid(person.gid)
    os.seteuid(person.uid)
    try:
        yield
    finally:
        os.seteuid(uid)
        os.setegid(gid)
        os.setgroups(groups)


def again(words: Sequence[str], config: Config, kubeconfig: Path | None) -> list[str]:
    """The command to give again as root, with every setting that is not the default: sudo passes no environment on."""
    program = shutil.which("wherry") or sys.argv[0]
    argv = ["sudo", str(Path(program).absolute()), *words]
    for each in SETTINGS:
        value = getattr(config, each.field)
        if value != each.default:
            argv += [each.flag, each.written(value)]
    return argv if kubeconfig is None else [*argv, "--kubeconfig", str(kubeconfig)]


def written(argv: Sequence[str]) -> str:
    return shlex.join(argv)


def _person(entry: pwd.struct_passwd) -> Person:
    return Person(entry.pw_uid, entry.pw_gid, entry.pw_name, Path(entry.pw_dir))
