"""The nftables text, and that the kernel takes it."""

import subprocess
from pathlib import Path

import pytest

from tests.unit.network.objects import endpoint, service, settings, slice_of
from wherry.network.nft import render
from wherry.network.ruleset import Ruleset, compute

GOLDEN = Path(__file__).parents[2] / "golden" / "network" / "one_service.nft"
TWICE = (
    'set -e; text=$(cat); nft add table inet other; for i in 1 2; do echo "$text" | nft -f -; done; nft list ruleset'
)


def rules(**spec: str) -> Ruleset:
    return compute(
        [service("web-app", **spec)], [slice_of("web-app", endpoint("10.85.0.2"), endpoint("10.85.0.3"))], "one"
    )


def test_one_service_with_two_endpoints() -> None:
    assert render(rules(), settings()) == GOLDEN.read_text()


@pytest.mark.root
@pytest.mark.parametrize("affinity", ["None", "ClientIP"])
def test_the_kernel_takes_it_twice_and_keeps_other_tables(affinity: str) -> None:
    text = render(rules(sessionAffinity=affinity), settings())
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", TWICE],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("table inet wherry_test {") == 1
    assert "table inet other" in done.stdout
    assert "mod 2 map { 0 : 10.85.0.2 . 8080, 1 : 10.85.0.3 . 8080 }" in done.stdout
