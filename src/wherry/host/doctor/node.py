"""The node and its clients: does it answer, does kubectl fit, are the settings what was meant. Pure."""

from collections.abc import Iterator

from wherry.config import PREFIX, SETTINGS, Config, nearest
from wherry.host.doctor.facts import Facts
from wherry.host.doctor.finding import Finding, fail, ok, warn
from wherry.host.doctor.machine import numbers
from wherry.version import KUBERNETES_VERSION

SKEW = 1  # minor versions, as Kubernetes promises for kubectl
OTHER_VARIABLES = ("CONFIG", "CONTEXT", "DEBUG", "NAMESPACE", "PROFILE", "REGISTRY")


def judge(facts: Facts, config: Config) -> Iterator[Finding]:
    if not facts.root:
        yield warn("root", "not root", "some of this could not be looked at", "sudo wherry doctor")
    yield from _engine(facts, config)
    yield _kubectl(facts)
    yield from _variables(facts)


def _engine(facts: Facts, config: Config) -> Iterator[Finding]:
    engine = facts.engine
    if engine is None:
        if facts.root:
            yield ok("node", f"{config.name} is down: `wherry node start` starts it")
    elif facts.answers:
        fix = "wherry node logs; then wherry node stop and start: pods run on meanwhile"
        yield fail(
            "node", f"{config.name} (pid {engine.pid}) does not answer: {facts.answers}", "kubectl cannot either", fix
        )
    elif not engine.ready:
        yield warn(
            "node", f"{config.name} (pid {engine.pid}) is starting", "it does not answer yet", "wherry node logs -f"
        )
    else:
        yield ok("node", f"{config.name} is up (pid {engine.pid}) and answers")


def _kubectl(facts: Facts) -> Finding:
    if not facts.kubectl:
        why = "everything of wherry works without it"
        return ok("kubectl", f"kubectl is not here ({why})")
    minor, own = numbers(facts.kubectl)[1], numbers(KUBERNETES_VERSION)[1]
    if abs(minor - own) > SKEW:
        why = f"the API is {KUBERNETES_VERSION}; Kubernetes promises one minor version of difference, more mostly works"
        return warn("kubectl", f"kubectl {facts.kubectl}", why, f"kubectl 1.{own - SKEW} to 1.{own + SKEW}")
    return ok("kubectl", f"kubectl {facts.kubectl}")


def _variables(facts: Facts) -> Iterator[Finding]:
    known = [each.variable for each in SETTINGS] + [PREFIX + name for name in OTHER_VARIABLES]
    for name in facts.variables:
        if name not in known:
            yield warn("variable", f"{name} is set", f"there is no such setting{nearest(name, known)}", f"unset {name}")
