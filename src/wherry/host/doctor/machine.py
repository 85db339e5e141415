"""The machine: kernel, programs, space, limits, time. Pure."""

import re
from collections.abc import Iterator

from wherry.config import Config
from wherry.host.doctor.facts import Facts
from wherry.host.doctor.finding import Finding, fail, ok, warn

OLDEST_KERNEL = (5, 3)  # pidfd_open
BREAKOUTS = (
    ("CVE-2024-21626", ((1, 1, 12),), "1.1.5+ds1-1+deb12u1"),
    ("CVE-2025-31133", ((1, 2, 8), (1, 3, 3)), ""),
    ("CVE-2025-52565", ((1, 2, 8), (1, 3, 3)), ""),
    ("CVE-2025-52881", ((1, 2, 8), (1, 3, 3)), ""),
)
"""Ways out of a container: the first fixed release of each series, and the Debian 12 package with the fix, if any."""
OLDEST = {"containerd": (1, 6), "haproxy": (2, 4), "nft": (0, 9, 3)}
LOW_BYTES, NO_BYTES = 2 << 30, 64 << 20
LOW_INODES = 10_000
LOW_MEMORY = 256 << 20
ENOUGH = {"fs.inotify.max_user_instances": 512, "fs.inotify.max_user_watches": 65536}


def judge(facts: Facts, config: Config) -> Iterator[Finding]:
    yield from _kernel(facts)
    yield from _programs(facts)
    yield oci_runtime(facts, config)
    yield from _space(facts, config)
    yield from _limits(facts)
    yield from _time(facts)


def _kernel(facts: Facts) -> Iterator[Finding]:
    if numbers(facts.kernel)[:2] < OLDEST_KERNEL:
        yield fail("kernel", f"Linux {facts.kernel}", "processes are watched by pidfd, which 5.3 brought", "upgrade it")
    else:
        yield ok("kernel", f"Linux {facts.kernel}, cgroup v{facts.cgroup}")
    for name in facts.absent:
        fix = f"modprobe {name}, or a kernel that has it"
        yield fail("kernel-part", f"the kernel has no {name}", "containers and their network need it", fix)


def _programs(facts: Facts) -> Iterator[Finding]:
    if facts.missing:
        packages = " ".join(sorted(set(facts.missing.values())))
        what = f"not found: {', '.join(facts.missing)}"
        yield fail("programs", what, "the node runs containers and networks by them", f"apt-get install {packages}")
    else:
        yield ok("programs", ", ".join(f"{name} {number}" for name, number in facts.versions.items()))
    for name, oldest in OLDEST.items():
        number = facts.versions.get(name, "")
        if number and numbers(number) < oldest:
            wanted = ".".join(map(str, oldest))
            yield warn(
                "version", f"{name} {number}", f"older than {wanted}, which is the oldest tried", f"upgrade {name}"
            )


def oci_runtime(facts: Facts, config: Config) -> Finding:
    """What makes the containers, and whether that is safe as far as is known here."""
    number = facts.versions.get("crun", "")
    if number and config.oci_runtime in ("auto", "crun"):
        return ok("crun", f"crun {number} makes the containers; its security advisories are not judged here")
    return runc(facts)


def runc(facts: Facts) -> Finding:
    """Whether a container can get out of it by what is publicly known."""
    number = facts.versions.get("runc", "")
    package = facts.packages.get("runc", "")
    if not number:
        return warn("runc", "the version of runc is not known", "some let containers break out", "runc --version")
    open_ = [cve for cve, fixed, debian in BREAKOUTS if not _fixed(number, fixed) and not _patched(package, debian)]
    shown = f"runc {number}" + (f" (package {package})" if package else "")
    if not open_:
        return ok("runc", f"{shown}: no known way out")
    why = "an image that you do not trust can get out of its container, unless your distribution has patched it"
    return warn(
        "runc", f"{shown}: {', '.join(open_)}", why, "install runc 1.2.8, 1.3.3 or later; until then run own images"
    )


def _fixed(number: str, releases: tuple[tuple[int, ...], ...]) -> bool:
    """Of its own series or of a later one."""
    have = numbers(number)
    same = [release for release in releases if release[:2] == have[:2]]
    return have >= same[0] if same else have[:2] > max(release[:2] for release in releases)


def _patched(package: str, debian: str) -> bool:
    """Of the same Debian revision line or a later one."""
    base, _, update = debian.partition("+deb12u")
    have, _, own = package.partition("+deb12u")
    return bool(debian) and have == base and own.isdigit() and int(own) >= int(update)


def _space(facts: Facts, config: Config) -> Iterator[Finding]:
    free = f"{facts.free_bytes / (1 << 30):.1f} GiB free for {config.state}"
    fix = "free some, or choose another directory by --state"
    if facts.free_bytes < NO_BYTES:
        yield fail("disk", free, "nothing can be stored", fix)
    elif facts.free_bytes < LOW_BYTES:
        yield warn("disk", free, "images and logs need more soon", fix)
    else:
        yield ok("disk", free)
    if facts.free_inodes < LOW_INODES:
        yield warn("inodes", f"{facts.free_inodes} files can still be made", "an image has thousands", fix)
    if 0 < facts.memory_bytes < LOW_MEMORY:
        what = f"{facts.memory_bytes >> 20} MiB of memory available"
        yield warn("memory", what, "pods will be killed for want of it", "end something, or add memory")


def _limits(facts: Facts) -> Iterator[Finding]:
    short = {name: want for name, want in ENOUGH.items() if facts.sysctls.get(name, want) < want}
    for name, want in short.items():
        what = f"{name} = {facts.sysctls[name]}"
        why = "programs in pods that watch files share it, and fail with `too many open files`"
        yield warn("inotify", what, why, f"sysctl -w {name}={want}", f"sysctl {name}={want}")
    if not short:
        yield ok("inotify", "enough inotify watches")


def _time(facts: Facts) -> Iterator[Finding]:
    if facts.now < facts.installed - 86400:
        yield fail("time", "the clock is behind wherry's own files", "certificates are not valid yet", "set the clock")
    elif facts.synchronised is False:
        why = "certificates, tokens and logs go by it"
        yield warn("time", "the clock is not synchronised", why, "timedatectl set-ntp true")
    else:
        yield ok("time", "the clock is plausible" if facts.synchronised is None else "the clock is synchronised")


def numbers(text: str) -> tuple[int, ...]:
    """1.2.3-rc.1 -> (1, 2, 3)."""
    found = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()
