"""The nftables text, and that the kernel takes it."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.golden import assert_golden
from tests.unit.network.objects import endpoint, service, settings, slice_of
from wherry.network.host import forward_drops
from wherry.network.nft import Kernel, affinities, render
from wherry.network.ruleset import ANY, Endpoint, Ruleset, ServiceAddress, Target, compute

GOLDEN = Path(__file__).parents[2] / "golden" / "network" / "one_service.nft"
TWICE = (
    'set -e; text=$(cat); nft add table inet other; for i in 1 2; do echo "$text" | nft -f -; done; nft -j list ruleset'
)


def rules(**spec: str) -> Ruleset:
    return compute(
        [service("web-app", **spec)], [slice_of("web-app", endpoint("10.85.0.2"), endpoint("10.85.0.3"))], "one"
    )


def test_one_service_with_two_endpoints() -> None:
    assert_golden(GOLDEN, render(rules(), settings()))


def test_where_bridged_packets_are_seen_only_a_pod_s_calls_to_itself_lose_their_source() -> None:
    text = render(rules(), settings(), Kernel(sees_bridged=True))
    assert "ip saddr . ip daddr @hairpins ct status dnat masquerade" in text
    assert "ip daddr 10.85.0.0/16 ct status dnat masquerade" not in text


def with_host_ports() -> Ruleset:
    """One at all addresses, but for one where a program listens; and a balancer's, for some clients only."""
    targets = {
        "pod/1-2/tcp/8080/0.0.0.0": Target("tcp", (Endpoint("10.85.0.2", 80),)),
        "service/default/dns/udp/53/balancer": Target("udp", (Endpoint("10.85.0.3", 53),), sources=("192.0.2.0/24",)),
    }
    ports = {
        ServiceAddress(ANY, "tcp", 8080): "pod/1-2/tcp/8080/0.0.0.0",
        ServiceAddress("192.0.2.1", "tcp", 8080): "",
        ServiceAddress("127.80.0.1", "udp", 53): "service/default/dns/udp/53/balancer",
    }
    return Ruleset(targets, host_ports=ports)


def test_host_ports_and_balancers_by_udp() -> None:
    assert_golden(GOLDEN.with_name("host_ports.nft"), render(with_host_ports(), settings()))


def test_others_reach_host_ports_only_where_they_are_exposed() -> None:
    host_port = "ip daddr != 127.0.0.0/8 fib daddr type local meta l4proto . th dport vmap @host_ports"

    def incoming(expose: str) -> str:
        text = render(with_host_ports(), replace(settings(), expose=expose))
        return text.partition("hook prerouting")[2].partition("}")[0]

    assert f"\n    {host_port}" not in incoming("")
    assert f"\n    ip daddr 192.0.2.1 {host_port}" in incoming("192.0.2.1")
    assert f"\n    {host_port}" in incoming("0.0.0.0")


def in_kernel(text: str) -> str:
    """Load the text twice beside another table, in a namespace of its own; the ruleset that results, as JSON."""
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", TWICE], input=text, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.root
def test_the_kernel_takes_it_twice_and_keeps_other_tables() -> None:
    more = with_host_ports()
    detours = {Endpoint("127.80.0.1", 80): Endpoint("127.80.0.1", 20080)}
    around = replace(rules(), targets={**rules().targets, **more.targets}, host_ports=more.host_ports, detours=detours)
    tables = [
        item["table"]["name"]
        for item in json.loads(in_kernel(render(around, settings())))["nftables"]
        if "table" in item
    ]
    assert sorted(tables) == ["other", "wherry_test"]


@pytest.mark.root
def test_clients_with_affinity_are_carried_over_to_the_next_rules() -> None:
    name = "service/default/web_app/tcp/80/10.85.0.2/8080"
    known = {name: {"192.0.2.1": 600, "192.0.2.2": 99999}}
    listing = in_kernel(render(rules(sessionAffinity="ClientIP"), settings(), Kernel(remembered=known)))
    found = affinities(listing)
    assert found.keys() == {name}
    assert 590 <= found[name]["192.0.2.1"] <= 600
    assert 10790 <= found[name]["192.0.2.2"] <= 10800  # the Service's own, three hours without another word


def test_firewalls_that_drop_what_is_forwarded_are_found() -> None:
    def chain(**words: str) -> dict[str, dict[str, str]]:
        return {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", **words}}

    dropping, accepting = chain(hook="forward", policy="drop"), chain(hook="forward", policy="accept")
    listing = json.dumps({"nftables": [{"metainfo": {}}, dropping, accepting, chain(hook="input", policy="drop")]})
    assert forward_drops(listing) == ["ip filter FORWARD"]
