"""The network: ranges, ports, forwarding, resolvers. Pure."""

from collections.abc import Iterator

from wherry.config import Config
from wherry.host.doctor.facts import Facts
from wherry.host.doctor.finding import Finding, fail, ok, warn
from wherry.host.preflight import overlaps


def judge(facts: Facts, config: Config) -> Iterator[Finding]:
    yield from _port(facts, config)
    problems = list(overlaps(config, facts.routes))
    for problem in problems:
        what, _, fix = problem.partition(": ")
        yield fail("networks", what, "one of the two could not be reached any more", fix)
    if not problems:
        yield ok("networks", f"pods {config.pods} and Services {config.services} are free")
    yield from _forwarding(facts)
    yield _resolvers(facts)


def _port(facts: Facts, config: Config) -> Iterator[Finding]:
    at = f"{config.listen}:{config.port}"
    if facts.holder is not None:
        yield fail(
            "port", f"{at} is taken by {facts.holder}", "the API listens there", "end it, or choose another --port"
        )
    elif facts.engine is None:
        yield ok("port", f"{at} is free")


def _forwarding(facts: Facts) -> Iterator[Finding]:
    name = "net.ipv4.ip_forward"
    if facts.sysctls.get(name) == 0:
        why = "packets of pods stay on this machine; `wherry node start` turns it on"
        yield warn("forwarding", f"{name} = 0", why, f"sysctl -w {name}=1", f"sysctl {name}=1")
    else:
        yield ok("forwarding", "packets are forwarded")
    for chain in facts.dropping:
        why = "what pods send and get is forwarded, and dropped there (Docker and firewalls set this)"
        fix = f"accept the pods' bridge in the chain {chain}, or set its policy to accept"
        yield warn("forward-policy", f"the chain {chain} drops what it forwards", why, fix)


def _resolvers(facts: Facts) -> Finding:
    if not facts.resolvers:
        why = "pods and image pulls cannot look up names of the outside"
        return warn("dns", "/etc/resolv.conf names no resolver", why, "name one, as in: nameserver 192.0.2.53")
    if all(each.startswith("127.") or each == "::1" for each in facts.resolvers):
        why = "pods with dnsPolicy Default would ask themselves; all others ask the cluster's DNS, which asks this one"
        return ok("dns", f"resolvers: {', '.join(facts.resolvers)} ({why})")
    return ok("dns", f"resolvers: {', '.join(facts.resolvers)}")
