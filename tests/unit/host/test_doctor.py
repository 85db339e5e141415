"""What `doctor` makes of what it sees."""

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from wherry.config import Config
from wherry.host.doctor.facts import Facts, client_version, dropping_chains, resolvers, version
from wherry.host.doctor.finding import Finding, Level
from wherry.host.doctor.machine import judge as judge_machine
from wherry.host.doctor.machine import runc
from wherry.host.doctor.network import judge as judge_network
from wherry.host.doctor.node import judge as judge_node
from wherry.host.launch import Engine
from wherry.host.preflight import Route
from wherry.listeners import Process

VERSIONS = {"containerd": "1.7.24", "runc": "1.3.3", "haproxy": "2.6.12", "nft": "1.0.6"}
GOOD = Facts(
    kernel="6.1.0-39-amd64", versions=VERSIONS, resolvers=("192.0.2.53",), now=2e9, installed=1e9, kubectl="1.34.4"
)


def judged(facts: Facts) -> list[Finding]:
    config = Config()
    return [*judge_machine(facts, config), *judge_network(facts, config), *judge_node(facts, config)]


def worse(facts: Facts) -> dict[str, Level]:
    return {each.code: each.level for each in judged(facts) if each.level is not Level.OK}


def test_a_good_machine_has_nothing_to_complain_of() -> None:
    assert worse(GOOD) == {}


@pytest.mark.parametrize(
    ("facts", "code", "level"),
    [
        (replace(GOOD, kernel="4.19.0"), "kernel", Level.FAIL),
        (replace(GOOD, absent=("overlay",)), "kernel-part", Level.FAIL),
        (replace(GOOD, missing={"haproxy": "haproxy"}), "programs", Level.FAIL),
        (replace(GOOD, versions={**VERSIONS, "containerd": "1.5.1"}), "version", Level.WARN),
        (replace(GOOD, versions={}), "runc", Level.WARN),
        (replace(GOOD, free_bytes=1 << 20), "disk", Level.FAIL),
        (replace(GOOD, free_bytes=1 << 30), "disk", Level.WARN),
        (replace(GOOD, free_inodes=5), "inodes", Level.WARN),
        (replace(GOOD, memory_bytes=1 << 20), "memory", Level.WARN),
        (replace(GOOD, sysctls={"fs.inotify.max_user_instances": 128}), "inotify", Level.WARN),
        (replace(GOOD, now=1.0), "time", Level.FAIL),
        (replace(GOOD, synchronised=False), "time", Level.WARN),
        (replace(GOOD, holder=Process(7, "nginx")), "port", Level.FAIL),
        (replace(GOOD, routes=(Route(IPv4Network("10.85.0.0/24"), "vpn0"),)), "networks", Level.FAIL),
        (replace(GOOD, sysctls={"net.ipv4.ip_forward": 0}), "forwarding", Level.WARN),
        (replace(GOOD, dropping=("ip filter FORWARD",)), "forward-policy", Level.WARN),
        (replace(GOOD, resolvers=()), "dns", Level.WARN),
        (replace(GOOD, root=False), "root", Level.WARN),
        (replace(GOOD, engine=Engine(7, False)), "node", Level.WARN),
        (replace(GOOD, engine=Engine(7, True), answers="refused"), "node", Level.FAIL),
        (replace(GOOD, kubectl="1.27.2"), "kubectl", Level.WARN),
        (replace(GOOD, variables=("WHERRY_PROT",)), "variable", Level.WARN),
    ],
)
def test_each_trouble_is_one_finding_that_says_why_and_what_to_do(facts: Facts, code: str, level: Level) -> None:
    assert worse(facts) == {code: level}
    (finding,) = (each for each in judged(facts) if each.code == code and each.level is level)
    assert finding.why
    assert finding.fix


@pytest.mark.parametrize(
    ("number", "package", "open_"),
    [
        ("1.1.5", "", ["CVE-2024-21626", "CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]),
        ("1.1.5", "1.1.5+ds1-1+deb12u1", ["CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]),
        ("1.1.5", "1.1.5+ds1-1", ["CVE-2024-21626", "CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]),
        ("1.1.15", "", ["CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]),
        ("1.2.7", "", ["CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]),
        ("1.2.8", "", []),
        ("1.3.2", "", ["CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]),
        ("1.3.3", "", []),
        ("1.4.0", "", []),
    ],
)
def test_ways_out_of_runc_are_known_by_release_and_package(number: str, package: str, open_: list[str]) -> None:
    finding = runc(replace(GOOD, versions={"runc": number}, packages={"runc": package} if package else {}))
    assert [word for word in finding.what.replace(",", "").split() if word.startswith("CVE-")] == open_
    assert finding.level is (Level.WARN if open_ else Level.OK)


def test_crun_is_judged_in_place_of_the_runc_that_is_not_used() -> None:
    facts = replace(GOOD, versions={**VERSIONS, "runc": "1.1.5", "crun": "1.8.1"})
    assert worse(facts) == {}
    (finding,) = (each for each in judged(facts) if each.code == "crun")
    assert "crun 1.8.1 makes the containers" in finding.what


def test_variables_of_other_parts_are_known() -> None:
    assert worse(replace(GOOD, variables=("WHERRY_CONFIG", "WHERRY_CONTEXT", "WHERRY_PORT"))) == {}


def test_what_programs_say_is_read() -> None:
    assert version("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/") == "2.6.12"
    assert version("runc version 1.1.5+ds1") == "1.1.5"
    assert version("nothing") == ""
    assert client_version('{"clientVersion": {"gitVersion": "v1.32.4-dispatcher"}}') == "1.32.4"
    assert client_version("not JSON") == client_version("[]") == ""
    assert resolvers("# a\nnameserver 192.0.2.53\nsearch x\nnameserver\n") == ("192.0.2.53",)


def test_chains_that_drop_what_is_forwarded_are_found() -> None:
    text = """{"nftables": [{"metainfo": {}},
      {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop"}},
      {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "hook": "input", "policy": "drop"}},
      {"chain": {"family": "inet", "table": "w", "name": "forward", "hook": "forward", "policy": "accept"}}]}"""
    assert dropping_chains(text) == ("ip filter FORWARD",)
    assert dropping_chains("") == ()
