"""What a container is asked from inside: a Python script, and its answer as a value. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

SCRIPT = r"""
import json, os
def text(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
page, ticks = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
pids = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
memory = sum(int((text("/proc/%s/statm" % pid).split() or [0, 0])[1]) * page for pid in pids)
ports = {}
for table in ("tcp", "tcp6"):
    for line in text("/proc/net/" + table).splitlines()[1:]:
        words = line.split()
        if words[3] == "0A":
            address, port = words[1].rsplit(":", 1)
            loopback = address in ("0100007F", "00000000000000000000000001000000")
            ports[int(port, 16)] = ports.get(int(port, 16), False) or not loopback
boot = next((int(line.split()[1]) for line in text("/proc/stat").splitlines() if line.startswith("btime")), 0)
begun = boot + int(text("/proc/1/stat").rpartition(")")[2].split()[19]) / ticks - 1
mounts = set(line.split()[1] for line in text("/proc/mounts").splitlines()) - {"/"}
runtime = {"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"}
written = []
for folder, folders, names in os.walk("/"):
    folders[:] = [each for each in folders if os.path.join(folder, each) not in mounts]
    for name in names:
        path = os.path.join(folder, name)
        try:
            status = os.lstat(path)
        except OSError:
            continue
        if status.st_mtime >= begun and path not in mounts | runtime and len(written) < 200:
            written.append(path)
first = text("/proc/1/cmdline").split("\0")[:-1]
print(json.dumps({"first": first, "uid": os.stat("/proc/1").st_uid, "processes": len(pids), "memory": memory,
                  "ports": ports, "written": sorted(written)}))
"""


@dataclass(frozen=True)
class Inside:
    """What the script saw. `ports` maps each TCP port that is listened at to whether others can reach it."""

    first: Sequence[str]  # process 1's words
    uid: int
    processes: int
    memory: int  # bytes, resident, of all processes
    ports: dict[int, bool]
    written: Sequence[str]  # files of the image's own filesystem that were made or changed since the start


def read(output: bytes) -> Inside | None:
    """The script's answer; None where it gave none."""
    try:
        value = orjson.loads(output)
        ports = {int(port): bool(reachable) for port, reachable in value["ports"].items()}
        return Inside(
            tuple(value["first"]), value["uid"], value["processes"], value["memory"], ports, tuple(value["written"])
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
