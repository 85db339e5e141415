"""Transactions by the library, in a network namespace of the test's own."""

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.unit.network.objects import endpoint, service, settings, slice_of
from wherry.network.libnftables import Nftables
from wherry.network.nft import removal, render
from wherry.network.ruleset import compute
from wherry.process import ProgramError

pytestmark = pytest.mark.root
NEW_NETWORK = 0x4000_0000  # CLONE_NEWNET
OURS = replace(settings(), name="ours")


def alone(work: Callable[[], None]) -> None:
    """On a thread with an empty network, which ends with it."""

    def run() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.unshare(NEW_NETWORK) == 0, os.strerror(ctypes.get_errno())
        work()

    with ThreadPoolExecutor(1) as threads:
        threads.submit(run).result()


def tables() -> dict[str, int]:
    """How many rules each has, as nft tells."""
    said = subprocess.run(("nft", "-j", "list", "ruleset"), capture_output=True, text=True, check=True).stdout
    items = json.loads(said)["nftables"]
    names = [each["table"]["name"] for each in items if "table" in each]
    return {name: sum(each.get("rule", {}).get("table") == name for each in items) for name in names}


def sockets() -> set[int]:
    found = [(name, os.path.realpath(f"/proc/self/fd/{name}")) for name in os.listdir("/proc/self/fd")]
    return {int(name) for name, path in found if "/socket:" in path}


def rules(count: int) -> str:
    ends = [endpoint(f"10.85.0.{number + 2}") for number in range(count)]
    return render(compute([service("web")], [slice_of("web", *ends)], "one"), OURS)


def test_it_replaces_the_one_table_and_takes_it_away() -> None:
    def work() -> None:
        with Nftables() as nftables:
            nftables.run("table inet other {}\n")
            for count in (1, 2, 1):
                nftables.run(rules(count))
                assert tables()["ours"] > 5
            nftables.run(removal("ours"))
            nftables.run(removal("ours"))
            assert tables() == {"other": 0}

    alone(work)


def test_what_is_wrong_is_quoted_and_changes_nothing() -> None:
    def work() -> None:
        with Nftables() as nftables:
            nftables.run(rules(1))
            before = tables()
            with pytest.raises(ProgramError, match="syntax error"):
                nftables.run("table inet ours {")
            with pytest.raises(ProgramError, match="No such file or directory"):
                nftables.run("delete table inet ours\ndelete table inet nobody\n")
            assert tables() == before
            nftables.run(rules(2))
        with pytest.raises(ProgramError, match="over"):
            nftables.run(rules(1))

    alone(work)


def test_programs_do_not_get_its_socket() -> None:
    def work() -> None:
        before = sockets()
        with Nftables():
            its = sockets() - before
            assert len(its) == 1
            assert not any(map(os.get_inheritable, its))

    alone(work)


def test_where_the_kernel_gives_no_socket_that_is_an_error() -> None:
    program = (
        "import resource\n"
        "from wherry.network.libnftables import Nftables\n"
        "from wherry.process import ProgramError\n"
        "with Nftables():\n"
        "    pass\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "try:\n"
        "    Nftables()\n"
        "except ProgramError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "nftables: Too many open files\n"), done.stderr


def test_after_a_failure_a_conversation_that_could_not_be_begun_is_begun_by_the_next() -> None:
    program = (
        "import resource\n"
        "from wherry.network.libnftables import Nftables\n"
        "from wherry.process import ProgramError\n"
        "with Nftables() as nftables:\n"
        "    limits = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "    tries = ('table inet {', limits[0]), ('', 3), ('table inet ours {}', limits[0])\n"
        "    for transaction, descriptors in tries:\n"
        "        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, limits[1]))\n"
        "        try:\n"
        "            nftables.run(transaction)\n"
        "            print('done')\n"
        "        except ProgramError as error:\n"
        "            print(str(error).splitlines()[0].partition(',')[0])\n"
    )
    argv = ("unshare", "--net", sys.executable, "-c", program)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    said = "nftables: Error: syntax error\nnftables: Too many open files\ndone\n"
    assert (done.returncode, done.stdout) == (0, said), done.stderr
