"""What is in the base images: packages, what of them is left out, and the files that installation scripts would make.

Pure: everything in here is decided from its arguments.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence

from wherry.images.base.debs import Package
from wherry.images.layers.tar import Member

FORMAT = "2"  # change it with whatever changes the bytes that come out
PYTHON = "3.11"  # Debian 12's

RUNTIME = (
    "base-files",
    "busybox",
    "ca-certificates",
    "libgomp1",  # wheels of the scientific kind link it and do not bring it
    "libstdc++6",  # and all that are written in C++
    "media-types",
    "netbase",
    f"python{PYTHON}",
    "tzdata",
)
DEVELOPMENT = (f"python{PYTHON}-venv", "python3-distutils", "python3-pip-whl", "python3-setuptools-whl")

# Needed by scripts of packages, not by what runs in the image; and the chain behind Python's module for NIS.
_LEFT_OUT = {
    *("debconf", "debianutils", "dpkg", "gcc-12-base", "libacl1", "libmd0", "libpcre2-8-0", "libselinux1", "libzstd1"),
    *("libcom-err2", "libgssapi-krb5-2", "libk5crypto3", "libkeyutils1", "libkrb5-3", "libkrb5support0", "libnsl2"),
    *("libtirpc-common", "libtirpc3", "mawk", "openssl", "python3", "python3-lib2to3", "python3-minimal", "tar"),
    *("libpython3-stdlib", "readline-common"),
}
_DROPPED = re.compile(
    r"usr/share/(?:doc/(?!.*/copyright$)|man|locale|lintian|bug|menu|pixmaps|applications|binfmts|gcc|gdb|info)"
    r"|usr/share/zoneinfo/(?:posix|right)/"
    r"|usr/share/base-files/|etc/update-motd|etc/cron|etc/init|etc/motd|etc/issue|etc/debian_version$|var/lib/systemd"
    rf"|usr/lib/python{PYTHON}/(?:EXTERNALLY-MANAGED|pydoc_data/|idlelib/|test/|turtledemo/|turtle\.py"
    r"|lib-dynload/(?:nis|_test\w+|_xxtestfuzz|xxlimited\w*)\.)"
    r"|usr/lib/x86_64-linux-gnu/(?:gconv/(?!gconv-modules|UTF|UNICODE|ISO8859-1\.|libISOIR)|audit/)"
    r"|usr/lib/initramfs|usr/share/initramfs|usr/lib/valgrind|usr/share/python3/runtime"
)
# What Dockerfiles and people in `exec` call; busybox has them all.
_APPLETS = """
    [ ash awk base64 basename bunzip2 bzip2 cat chgrp chmod chown clear cmp cp cut date dd df diff dirname du echo env
    expr false find fold free grep gunzip gzip head hostname id install kill killall less ln ls md5sum mkdir mkfifo
    mktemp more mv nc nproc nslookup od paste pgrep pidof ping pkill printf ps pwd readlink realpath rm rmdir sed seq
    sha256sum sh sleep sort stat strings stty su sync tac tail tar tee test time timeout top touch tr true truncate
    tty uname uniq unzip uptime vi wc wget which whoami xargs xz yes zcat
"""
_LINKS = {
    "bin": "usr/bin",
    "sbin": "usr/sbin",
    "lib": "usr/lib",
    "lib64": "usr/lib64",
    "etc/localtime": "/usr/share/zoneinfo/Etc/UTC",
    "etc/mtab": "/proc/mounts",
    "usr/bin/python": f"python{PYTHON}",
    "usr/bin/python3": f"python{PYTHON}",
    "usr/lib/ssl/cert.pem": "/etc/ssl/certs/ca-certificates.crt",
    "usr/lib/ssl/certs": "/etc/ssl/certs",
    "var/run": "/run",
}
_DIRECTORIES = """
    boot dev etc etc/ssl etc/ssl/certs home mnt opt proc run srv sys usr usr/bin usr/lib usr/lib/ssl usr/lib64
    usr/local usr/local/bin usr/local/lib usr/local/share usr/sbin usr/share var var/cache var/lib var/lib/dpkg
    var/lib/dpkg/status.d var/log
"""
_USERS = (
    ("root", 0, "/root", "/bin/sh"),
    ("daemon", 1, "/usr/sbin", "/usr/sbin/nologin"),
    ("www-data", 33, "/var/www", "/usr/sbin/nologin"),
    ("app", 10001, "/home/app", "/bin/sh"),
    ("nobody", 65534, "/nonexistent", "/usr/sbin/nologin"),
)


def belongs(package: str) -> bool:
    return package not in _LEFT_OUT


def kept(package: Package) -> Iterator[Member]:
    """The package's members that the image keeps."""
    return (member for member in package.members if not _DROPPED.match(member.name))


def runtime(packages: Sequence[Package]) -> list[Member]:
    """The first layer: a small Debian with Python, certificates, time zones and users."""
    files = _unique(member for package in packages for member in kept(package))
    newest = max(member.mtime for member in files.values())
    made = (
        *_base(newest),
        Member(name="etc/ssl/certs/ca-certificates.crt", mode=0o644, mtime=newest, data=_bundle(files)),
        *(member for package in packages for member in _described(package, newest)),
    )
    return list({**files, **{member.name: member for member in made}}.values())


def development(packages: Sequence[Package], pip: Sequence[Member], below: Iterable[Member]) -> list[Member]:
    """The second layer: pip, venv and the wheels that they install from; nothing that the first has."""
    there = {member.name for member in below}
    files = _unique(member for package in packages for member in kept(package))
    newest = max(member.mtime for member in files.values())
    described = (member for package in packages for member in _described(package, newest))
    made = (*pip, *_pip_commands(newest), *described)
    every = {**files, **{member.name: member for member in made}}
    for name in list(every):
        every |= {
            parent: Member(name=parent, mtime=newest) for parent in _parents(name) if parent not in {*every, *there}
        }
    return [member for member in every.values() if member.name not in there]


def _unique(members: Iterable[Member]) -> dict[str, Member]:
    return {member.name: member for member in members}


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _base(mtime: int) -> Iterator[Member]:
    for name in _DIRECTORIES.split():
        yield Member(name=name, mtime=mtime)
    for name, mode in (("tmp", 0o1777), ("var/tmp", 0o1777), ("root", 0o700)):
        yield Member(name=name, mode=mode, mtime=mtime)
    yield Member(name="home/app", mode=0o755, mtime=mtime, uid=10001, gid=10001)
    for name, target in _LINKS.items():
        yield Member(name=name, target=target, mtime=mtime)
    for applet in _APPLETS.split():
        yield Member(name=f"usr/bin/{applet}", target="busybox", mtime=mtime)
    for name, text in _texts().items():
        yield Member(name=name, mode=0o640 if name == "etc/shadow" else 0o644, mtime=mtime, data=text.encode())


def _texts() -> dict[str, str]:
    return {
        "etc/passwd": "".join(f"{name}:x:{uid}:{uid}:{name}:{home}:{shell}\n" for name, uid, home, shell in _USERS),
        "etc/group": "".join(f"{'nogroup' if uid == 65534 else name}:x:{uid}:\n" for name, uid, _, _ in _USERS),
        "etc/shadow": "".join(f"{name}:*:1::::::\n" for name, *_ in _USERS),
        "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
        "etc/shells": "/bin/sh\n",
        "etc/timezone": "Etc/UTC\n",
    }


def _bundle(files: dict[str, Member]) -> bytes:
    """What update-ca-certificates makes: all authorities, one after the other."""
    authorities = sorted(name for name in files if name.startswith("usr/share/ca-certificates/"))
    texts = [data for name in authorities if isinstance(data := files[name].data, bytes)]
    return b"".join(text.rstrip(b"\n") + b"\n" for text in texts)


def _described(package: Package, mtime: int) -> Iterator[Member]:
    """Where scanners look for the packages of an image without a package manager, and for the files of each."""
    name = f"var/lib/dpkg/status.d/{package.name}"
    yield Member(name=name, mode=0o644, mtime=mtime, data=package.control.encode())
    listed = sorted((member.name, member.data) for member in kept(package) if isinstance(member.data, bytes))
    sums = "".join(f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}  {path}\n" for path, data in listed)
    yield Member(name=f"{name}.md5sums", mode=0o644, mtime=mtime, data=sums.encode())


def _pip_commands(mtime: int) -> Iterator[Member]:
    text = f"#!/usr/bin/python{PYTHON}\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"
    for name in ("pip", "pip3", f"pip{PYTHON}"):
        yield Member(name=f"usr/local/bin/{name}", mode=0o755, mtime=mtime, data=text.encode())
