"""The network at work: Services and EndpointSlices into nftables and HAProxy, and pods out of the routing in order."""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from pathlib import Path

from wherry import process
from wherry.client.client import Client
from wherry.client.mirror import Mirror
from wherry.clock import Clock
from wherry.listeners import listeners
from wherry.network import balancer, cni, conntrack, host, host_ports, kubedns, loopback, nft
from wherry.network.dns import NameServer
from wherry.network.drain import drained
from wherry.network.forward import Forwarder, HostResolvers
from wherry.network.haproxy import HAProxy, can_listen
from wherry.network.host_ports import Opening
from wherry.network.libnftables import Nftables
from wherry.network.openings import HostPorts, Record
from wherry.network.pace import Pace
from wherry.network.records import Records
from wherry.network.ruleset import ANY, Endpoint, Ruleset, compute, routed_pods
from wherry.network.settings import NetworkSettings
from wherry.network.sockets import Namespaces
from wherry.objects import Obj
from wherry.objects.errors import ApiError, Conflict, NotFound
from wherry.tasks import spawn

__all__ = ["Network", "NetworkSettings", "clean"]

log = logging.getLogger("wherry.network")

SERVICE, SLICE, POD = "Service", "EndpointSlice.discovery.k8s.io", "Pod"
_DNS = 53
_NONE_FREE = "No address has all ports of this Service free"
_TRANSACTION_SECONDS = 60.0
_FIRST_RETRY, _LAST_RETRY = 0.1, 10.0  # seconds


async def clean(settings: NetworkSettings) -> None:
    """Take away HAProxy, the table, the routes and the bridge of a node that is down."""
    await HAProxy(settings.run / "haproxy").stop()
    await loopback.lead((), settings)
    await cni.clean(settings, settings.state / "cni")


@dataclass
class Network:
    """`prepare` before the first pod; `run` ends only by cancellation and leaves all in place, for `clean`."""

    client: Client
    mirror: Mirror
    clock: Clock
    record: Record
    settings: NetworkSettings
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _applied: asyncio.Condition = field(default_factory=asyncio.Condition)
    _rules: Ruleset | None = None  # as the kernel has them
    _routed: frozenset[str] | None = None  # uids of pods that get new connections by what is applied
    _sees_bridged: bool = False
    _hurry: asyncio.Event = field(default_factory=asyncio.Event)
    _leaving: int = 0  # pods that wait to be out of the routing
    _led: frozenset[str] | None = None  # balancers' addresses that have the bridge's as their source
    _complaints: set[tuple[balancer.Key, str]] = field(default_factory=set)  # told, and still so

    def __post_init__(self) -> None:
        self._haproxy = HAProxy(self.settings.run / "haproxy")
        self._host_ports = HostPorts(self.mirror, self.settings, self.record)
        self._namespaces = Namespaces(self.settings.run)
        self._unanswered = conntrack.Unanswered()
        self._nftables = Nftables()

    async def prepare(self) -> None:
        """Bridge, route and CNI configuration. May be repeated."""
        await cni.prepare(self.settings, self.settings.state / "cni")
        self._sees_bridged = await asyncio.to_thread(host.filter_bridged, self.settings.bridge)

    async def ensure_dns(self) -> None:
        """The Service of the DNS, when its namespace is there. May be repeated."""
        await kubedns.ensure(self.client, self.settings)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            spawn(tasks, "routing", self._route())
            spawn(tasks, "dns", self._serve_names())
            spawn(tasks, "firewalls", self._look_around())

    async def _look_around(self) -> None:
        for finding in await host.findings(self.settings.bridge):
            log.warning("%s; %s", finding.problem, finding.remedy)

    async def _serve_names(self) -> None:
        """Answer the pods' questions; where the port is taken, say so and try again."""
        settings = self.settings
        address = str(settings.gateway)
        resolvers = HostResolvers(Path("/etc/resolv.conf"), frozenset({address}))
        records = Records(self.mirror, settings.cluster_domain, settings.pods, settings.services)
        server = NameServer(records, Forwarder(resolvers.servers, self.clock), IPv4Network(settings.pods))
        while True:
            try:
                async with server.serve(address, _DNS):
                    await asyncio.Event().wait()
            except OSError as error:
                again = f"again in {_LAST_RETRY:g} s"
                log.warning("no DNS for pods: cannot listen at %s:%d: %s; %s", address, _DNS, error.strerror, again)
                await self.clock.sleep(_LAST_RETRY)

    async def _route(self) -> None:
        self.mirror.on_change([SERVICE, SLICE], lambda new, old: self._wake.set())
        self.mirror.on_change([POD], self._pod_changed)
        self._wake.set()
        delay, pace = _FIRST_RETRY, Pace()
        while True:
            with contextlib.suppress(TimeoutError):
                # Nobody tells when a program of the host gives a port up that a pod waits for.
                async with asyncio.timeout(_LAST_RETRY if self._host_ports.waiting else None):
                    await self._wake.wait()
            self._wake.clear()  # changes during the work below wake once more, however many they are
            try:
                begun = self.clock.monotonic()
                await self._reconcile()
                await self._rest(pace.rest(begun, self.clock.monotonic()))
                delay = _FIRST_RETRY
            except (process.ProgramError, ApiError, OSError) as error:
                log.warning("the network is not as wished: %s; again in %.1f s", error, delay)
                self._wake.set()
                await self.clock.sleep(delay)
                delay = min(delay * 2, _LAST_RETRY)

    def _pod_changed(self, new: Obj | None, old: Obj | None) -> None:
        if any(pod and host_ports.asks(pod) for pod in (new, old)):
            self._wake.set()

    async def _rest(self, seconds: float) -> None:
        """Many pods that get ready one by one are few transactions; a pod that is to go waits for none of it."""
        if seconds and not self._leaving:
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._hurry.wait()

    async def withdraw(self, pod: Obj, limit_seconds: float) -> None:
        """Return when no new connection is routed to the pod and those it had have drained, or after the limit."""
        if not (self._selected(pod) or host_ports.asks(pod)):
            return
        addresses = [each["ip"] for each in (pod.get("status") or {}).get("podIPs") or ()]
        name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        try:
            async with asyncio.timeout(limit_seconds):
                await self._unrouted(pod["metadata"]["uid"])
                if not pod["spec"].get("hostNetwork"):  # its address is the whole node's
                    await asyncio.gather(*(drained(self._namespaces, each, self.clock) for each in addresses))
                    await asyncio.gather(*(self._unanswered.forget(each) for each in addresses))
        except TimeoutError:
            log.info("pod %s still has connections after %g s", name, limit_seconds)
        except (OSError, process.ProgramError) as error:
            log.warning("pod %s: cannot tell whether its connections have ended: %s", name, error)

    async def _unrouted(self, uid: str) -> None:
        """Wait until the state without this pod is the mirror's, and applied."""

        def out() -> bool:
            if self._routed is None or uid in self._routed or self._host_ports.wants(uid):
                return False
            return uid not in routed_pods(self.mirror.list(SLICE))

        self._leaving += 1
        self._hurry.set()
        try:
            async with self._applied:
                await self._applied.wait_for(out)
        finally:
            self._leaving -= 1

    async def _reconcile(self) -> None:
        """Bring kernel, HAProxy and statuses to the mirror's state of this moment."""
        services, slices = self.mirror.list(SERVICE), self.mirror.list(SLICE)
        held = await self._haproxy.held()
        openings = await self._host_ports.decide(services, held, self._rules or Ruleset())

        def free(address: str, port: int) -> bool:
            claimed = host_ports.claims([*openings, *self._host_ports.closing], "tcp", address, port)
            return not claimed and ((address, port) in held or can_listen(address, port))

        free_udp = await self._free_udp(services, openings)
        known = {key: address for service in services if (key := _key(service)) and (address := _address(service))}
        places = balancer.assign(services, known, self.settings.balancer_addresses, free, free_udp)
        exposed = balancer.expose(services, places, self.settings.expose, free, free_udp)
        addresses: dict[tuple[str, str], list[str]] = {
            key: [place.address, *([exposed[key]] if key in exposed else [])] for key, place in places.items()
        }
        rules = replace(compute(services, slices, self.settings.name, addresses), detours=balancer.detours(places))
        await self._lead(frozenset(places[_key(each)].address for each in services if _by_udp(each, places)))
        await self._apply_rules(host_ports.added(rules, openings))
        gateway = str(self.settings.gateway)
        fronts = balancer.frontends(services, slices, places, exposed, gateway=gateway)
        await self._haproxy.apply([*fronts, *host_ports.frontends(openings, self._host_ports.closing)])
        self._haproxy.on_end(self._wake.set)
        async with self._applied:
            self._routed = routed_pods(slices) | {each.port.pod for each in openings}
            self._applied.notify_all()
        self._host_ports.tell()
        self._complaints = {each for each in self._complaints if self.mirror.get(SERVICE, *each[0])}
        for service in services:
            await self._tell(service, addresses.get(_key(service), []))

    async def _free_udp(self, services: Collection[Obj], openings: Collection[Opening]) -> balancer.Free:
        """Whether packets to an address and port may be led to a Service."""
        wanted = any(balancer.balanced(each) and balancer.udp_ports(each) for each in services)
        others = await loopback.taken(self.settings) if wanted else frozenset()
        bound = {
            (each.address, each.port) for each in (await asyncio.to_thread(list, listeners("udp")) if wanted else ())
        }

        def free(address: str, port: int) -> bool:
            # An address in 127.0.0.0/8 is the Service's alone, whoever listens on all of the machine's.
            everywhere = (ANY, port) in bound and not host_ports.loopback(address)
            claimed = address in others or host_ports.claims(openings, "udp", address, port)
            return not (everywhere or claimed or (address, port) in bound)

        return free

    async def _lead(self, addresses: frozenset[str]) -> None:
        if addresses != self._led:
            await loopback.lead(addresses, self.settings)
            self._led = addresses

    async def _apply_rules(self, rules: Ruleset) -> None:
        if rules == self._rules:
            return
        sticky = any(target.affinity_seconds for target in rules.targets.values())
        known = await nft.remembered(self.settings.name) if sticky else {}
        text = nft.render(rules, self.settings, nft.Kernel(self._sees_bridged, known))
        async with asyncio.timeout(_TRANSACTION_SECONDS):
            await asyncio.to_thread(self._nftables.run, text)
        gone, new = _udp(self._rules) - _udp(rules), _udp_ports(rules) - _udp_ports(self._rules)
        self._rules = rules
        await conntrack.forget_udp(sorted(gone))
        await conntrack.forget_unled(sorted(new))

    async def _tell(self, service: Obj, addresses: list[str]) -> None:
        """Write the balancer's addresses into the status where they differ; tell of ports that others hold."""
        self._complain(service, "own", balancer.balanced(service) and not addresses, _NONE_FREE)
        expose = self.settings.expose
        taken = bool(expose and addresses and expose not in addresses)
        self._complain(service, "exposed", taken, f"A port of this Service is in use on {expose}: not reachable there")
        known = [each.get("ip") for each in _ingress(service)]
        if known == addresses or service["spec"].get("loadBalancerClass"):
            return  # another class's balancer writes its own
        ingress = {"ingress": [{"ip": address} for address in addresses]} if addresses else {}
        status = {**(service.get("status") or {}), "loadBalancer": ingress}
        try:
            await self.client.update({**service, "status": status}, subresource="status")
        except (Conflict, NotFound):
            return  # the change that caused it wakes us
        if addresses and addresses[0] not in (balancer.LOOPBACK, *known):
            ports = ", ".join(str(port["port"]) for port in service["spec"]["ports"])
            reason, why = "AddressTaken", f"Port {ports} is in use on {balancer.LOOPBACK}"
            if balancer.udp_ports(service):
                reason, why = "AddressForUDP", f"By UDP no pod can be reached at {balancer.LOOPBACK}"
            self.record(service, "Normal", reason, f"{why}: reachable at {addresses[0]} instead")

    def _complain(self, service: Obj, about: str, holds: bool, message: str) -> None:
        """Record it once for as long as it holds."""
        complaint = (_key(service), about)
        if not holds:
            self._complaints.discard(complaint)
        elif complaint not in self._complaints:
            self._complaints.add(complaint)
            self.record(service, "Warning", "AddressTaken", message)

    def _selected(self, pod: Obj) -> bool:
        """Whether a Service selects the pod, or a slice lists it nevertheless."""
        labels = (pod["metadata"].get("labels") or {}).items()
        for service in self.mirror.list(SERVICE, pod["metadata"]["namespace"]):
            selector = service["spec"].get("selector") or {}
            if selector and selector.items() <= labels:
                return True
        return pod["metadata"]["uid"] in routed_pods(self.mirror.list(SLICE, pod["metadata"]["namespace"]))


def _udp(rules: Ruleset | None) -> frozenset[Endpoint]:
    targets = rules.targets.values() if rules else ()
    return frozenset(endpoint for target in targets if target.protocol == "udp" for endpoint in target.endpoints)


def _udp_ports(rules: Ruleset | None) -> frozenset[int]:
    return frozenset(at.port for at in (rules.host_ports if rules else ()) if at.protocol == "udp")


def _by_udp(service: Obj, places: Mapping[balancer.Key, balancer.Place]) -> bool:
    return _key(service) in places and bool(balancer.udp_ports(service))


def _key(service: Obj) -> balancer.Key:
    return balancer.Key(service["metadata"]["namespace"], service["metadata"]["name"])


def _ingress(service: Obj) -> list[Obj]:
    found: list[Obj] = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return found


def _address(service: Obj) -> str:
    """The balancer's own address in the status, "" without one."""
    return next((str(each.get("ip") or "") for each in _ingress(service)), "")
