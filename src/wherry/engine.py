"""The composition root: opens the store, starts server, controllers, node and network in one TaskGroup.

The only module that knows every room. It reads top to bottom as the engine starts, and ends in reverse.
"""

import asyncio
import base64
import contextlib
import gc
import ipaddress
import logging
import platform
import signal
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import uvloop

from wherry import files
from wherry.apiserver.admission.namespaces import NamespaceLifecycle
from wherry.apiserver.admission.pods import PodAdmission
from wherry.apiserver.admission.roles import RoleEscalation
from wherry.apiserver.admission.services import ServiceAllocation
from wherry.apiserver.bootstrap import bootstrap
from wherry.apiserver.certificates import Authority
from wherry.apiserver.http.authn import Authenticator
from wherry.apiserver.http.authz import Authorizer
from wherry.apiserver.http.server import Server, listen, tls_context
from wherry.apiserver.http.streams import Streams
from wherry.apiserver.local import LocalClient, feed_mirror
from wherry.apiserver.ports import PodAccess
from wherry.apiserver.tokens import Tokens
from wherry.apiserver.verbs.context import SYSTEM, WriteOptions
from wherry.apiserver.verbs.registry import Registry
from wherry.client.events import EventRecorder
from wherry.client.mirror import Mirror
from wherry.client.reconcile import Loop
from wherry.clock import Clock, SystemClock
from wherry.config import Config
from wherry.controllers import component_of, controllers, manager_of
from wherry.images.registry.server import listen as listening
from wherry.images.registry.server import login
from wherry.images.registry.server.blobs import Blobs
from wherry.images.registry.server.handler import Registry as ImageRegistry
from wherry.images.registry.server.manifests import Manifests
from wherry.images.registry.server.naming import Naming
from wherry.images.registry.server.uploads import Uploads
from wherry.kinds import schema
from wherry.kinds.catalog import KINDS
from wherry.network.actor import Network, NetworkSettings, clean
from wherry.node.access import NodeAccess
from wherry.node.cgroups import Cgroups, remove_cgroups
from wherry.node.containerd import Containerd, remove_pod
from wherry.node.containerd_process import ContainerdProcess
from wherry.node.cri import CriRuntime
from wherry.node.heartbeat import Heartbeat
from wherry.node.image_list import ImageList
from wherry.node.machine import read_machine
from wherry.node.registry_content import RegistryContent
from wherry.node.rotation import LogRotation
from wherry.node.runtime import Runtime, RuntimeFailure
from wherry.node.settings import NodeSettings
from wherry.node.supervisor import Supervisor
from wherry.node.worker import PodWorkers
from wherry.process import ProgramError
from wherry.store import Store
from wherry.tasks import spawn
from wherry.version import KUBERNETES_VERSION

log = logging.getLogger("wherry.engine")

_AGAIN = 1.0  # seconds
ISSUER = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True)
class Addresses:
    """What follows from the configured networks."""

    gateway: str  # of the pods' bridge: DNS and the API listen here for pods
    service: str  # `kubernetes.default`

    @classmethod
    def of(cls, config: Config) -> "Addresses":
        pods, services = ipaddress.IPv4Network(config.pods), ipaddress.IPv4Network(config.services)
        return cls(str(pods[1]), str(services[1]))


async def reset(config: Config) -> None:
    """Remove every pod and all that the engine has put on the host; the engine itself must be down."""
    await _containerd(config).remove()
    remove_cgroups(f"/{config.name}")
    await clean(_network(config))


async def stop_pods(config: Config) -> None:
    """End every pod, containerd and the network; objects and images stay. The engine itself must be down."""
    containerd = _containerd(config)
    if (config.state / "containerd").exists():
        await containerd.start()
        async with CriRuntime(containerd.socket) as runtime:
            for pod in await runtime.sandboxes():
                await remove_pod(runtime, pod.id)
        await containerd.stop()
    remove_cgroups(f"/{config.name}")
    await clean(_network(config))


def _containerd(config: Config) -> Containerd:
    return Containerd(ContainerdProcess(*config.containerd, oci_runtime=config.oci_runtime))


def _network(config: Config) -> NetworkSettings:
    return NetworkSettings(
        name=config.name,
        bridge=config.bridge,
        pods=config.pods,
        services=config.services,
        node_ports=config.node_ports,
        state=config.state,
        run=config.run,
        cluster_domain=config.cluster_domain,
        balancer_addresses=config.balancer_addresses,
        api_port=config.port,
        expose=config.expose,
    )


def _node(config: Config, addresses: Addresses) -> NodeSettings:
    machine = read_machine(config.state)
    return NodeSettings(
        name=config.name,
        address=addresses.gateway,
        pods=config.state / "node" / "pods",
        logs=config.state / "node" / "logs",
        cgroup_root=f"/{config.name}",
        cluster_domain=config.cluster_domain,
        cluster_dns=addresses.gateway,
        max_pods=config.max_pods,
        cpu_milli=machine.cpu_milli,
        memory_bytes=machine.memory_bytes,
        ephemeral_bytes=machine.ephemeral_bytes,
        cgroup_v2=machine.cgroup_v2,
        seccomp_root=config.state / "seccomp",
        in_memory=config.run / "pods",
    )


def git_version() -> dict[str, str]:
    """What `/version` answers."""
    major, minor, _ = KUBERNETES_VERSION.split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{KUBERNETES_VERSION}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": platform.python_implementation().lower(),
        "platform": f"linux/{'amd64' if platform.machine() == 'x86_64' else 'arm64'}",
    }


@dataclass(frozen=True)
class Parts:
    """What the actors of one engine share."""

    config: Config
    addresses: Addresses
    clock: Clock
    authority: Authority
    client: LocalClient
    mirror: Mirror
    containerd: Containerd
    runtime: Runtime
    events: EventRecorder
    network: Network


async def run(config: Config, stop: asyncio.Event) -> None:
    """Run the engine until `stop` is set. Pods go on running afterwards."""
    clock = SystemClock()
    addresses = Addresses.of(config)
    async with contextlib.AsyncExitStack() as stack:
        store = await Store.open(config.state / "db")
        stack.push_async_callback(store.close)
        authority = Authority(config.state / "pki", clock.now())
        registry = Registry(store, schema.load(), clock)
        registry.serve(KINDS)
        registry.admission = (
            NamespaceLifecycle(store),
            PodAdmission(store),
            ServiceAllocation(store, config.services, config.node_ports),
            RoleEscalation(Authorizer(registry)),
        )
        tokens = Tokens(authority.signing_key(), ISSUER, clock)
        client = LocalClient(registry, tokens, WriteOptions(user=SYSTEM, manager="wherry"))
        containerd = _containerd(config)
        mirror = Mirror()
        events = EventRecorder(client.acting_as("kube-controller-manager"), clock, "wherry", config.name)
        network = Network(client.acting_as("wherry-network"), mirror, clock, events.record, _network(config))
        async with asyncio.TaskGroup() as preparations:
            preparations.create_task(containerd.start())
            preparations.create_task(network.prepare())
            await bootstrap(client, addresses.service, (addresses.gateway, config.port))
            await network.ensure_dns()
        runtime = await stack.enter_async_context(containerd.runtime())
        server = _server(config, addresses, registry, tokens, NodeAccess(runtime))
        parts = Parts(config, addresses, clock, authority, client, mirror, containerd, runtime, events, network)
        async with asyncio.TaskGroup() as tasks:
            actors = [spawn(tasks, "mirror", feed_mirror(registry, parts.mirror))]
            await parts.mirror.caught_up(store.revision)
            actors += [spawn(tasks, name, actor) async for name, actor in _actors(parts)]
            await _serve(config, addresses, authority, server, stack)
            await _serve_images(parts, stack)
            _write_kubeconfig(config, authority)
            (config.run / "ready").touch(mode=0o600)
            _collect_seldom()
            log.info("ready: https://%s:%d", config.listen, config.port)
            await _until(stop, store)
            (config.run / "ready").unlink(missing_ok=True)
            for actor_task in actors:
                actor_task.cancel()


Actor = tuple[str, Coroutine[Any, Any, None]]


async def _actors(parts: Parts) -> AsyncIterator[Actor]:
    """Everything that reads the mirror and writes the API, in the order in which it starts."""
    config, clock, client, mirror = parts.config, parts.clock, parts.client, parts.mirror
    yield "events", parts.events.run()
    for controller in controllers(parts.authority.ca.read_text()):
        actor = client.acting_as(manager_of(controller))
        tell = partial(parts.events.record, component=component_of(controller))
        yield controller.name, Loop(controller, mirror, actor, clock, tell).run()
    yield "network", parts.network.run()
    node, kubelet = _node(config, parts.addresses), client.acting_as("kubelet")
    told = EventRecorder(kubelet, clock, "kubelet", config.name)
    yield "kubelet events", told.run()
    heartbeat = Heartbeat(kubelet, parts.runtime, clock, node)
    await heartbeat.register()
    yield "heartbeat", heartbeat.run()
    yield "containerd", Supervisor(parts.containerd, clock, heartbeat.runtime_is).run()
    yield "logs", LogRotation(parts.runtime, clock, node).run()
    images = ImageList(kubelet, parts.runtime, clock, node.name)
    yield "images", images.run()
    cgroups, changed = Cgroups(node), images.changed
    workers = PodWorkers(kubelet, mirror, parts.runtime, parts.network, cgroups, clock, told.record, node, changed)
    yield "pods", _pods(parts.containerd, workers)


async def _pods(containerd: Containerd, workers: PodWorkers) -> None:
    """The node is Ready before the sandboxes' image is there; pods that come so early wait for it."""
    while True:
        try:
            await containerd.provide()
            break
        except (RuntimeFailure, ProgramError, TimeoutError) as error:  # it may have ended: it is started again
            log.error("no pod can start without the image of sandboxes: %s; again in %g s", error or "no end", _AGAIN)
            await asyncio.sleep(_AGAIN)
    await workers.run()


def _collect_seldom() -> None:
    """What there is by now stays: look for cycles only in what comes later, and in larger portions.

    Measured: a seventh of the processor time of writes. The command has left the collector off while it imported. What
    is garbage by now stays too: looking for it would hold up the first requests for a tenth of a second.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


def _server(config: Config, addresses: Addresses, registry: Registry, tokens: Tokens, access: PodAccess) -> Server:
    names = {"localhost", "127.0.0.1", "::1", config.listen, addresses.gateway, addresses.service}
    names |= {"kubernetes", "kubernetes.default", "kubernetes.default.svc"}
    names.add(f"kubernetes.default.svc.{config.cluster_domain}")
    return Server(
        registry=registry,
        table=registry.table,
        authenticator=Authenticator(registry, tokens),
        authorizer=Authorizer(registry),
        streams=Streams(access),
        version=git_version(),
        hosts=frozenset(names),
        ready=lambda: True,
    )


async def _serve(
    config: Config, addresses: Addresses, authority: Authority, server: Server, stack: contextlib.AsyncExitStack
) -> None:
    serving = authority.serving(sorted(server.hosts | {config.listen}))
    context = tls_context(str(serving.certificate), str(serving.key), str(authority.ca))
    runner = await listen(server, [(config.listen, config.port), (addresses.gateway, config.port)], context)
    stack.push_async_callback(runner.cleanup)
    stack.callback(server.streams.stop)  # first: open streams would hold the clean-up


async def _serve_images(parts: Parts, stack: contextlib.AsyncExitStack) -> None:
    """The node's registry: what is pushed to it is in containerd, and pods run it."""
    config = parts.config
    door = listening.claim(config.registry_port)
    known = tuple(f"{host}:{config.registry_port}" for host in ("127.0.0.1", "localhost")) if door else ()
    content = RegistryContent(parts.containerd.socket, parts.runtime, parts.clock)
    await stack.enter_async_context(content)
    registry = ImageRegistry(
        Blobs(content, Uploads(content, parts.clock)),
        Manifests(content, Naming(known), git_version()["platform"]),
        login.of(config.state / "registry", known),
        RuntimeFailure,
    )
    await listening.listen(registry, config.run / "registry.sock", door, stack)


async def _until(stop: asyncio.Event, store: Store) -> None:
    """Wait for the order to stop, or for the disk to fail: then nothing can be promised any more."""
    ends = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(store.failed())]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for end in ends:
            end.cancel()
    if store.failure is not None:
        log.error("%s", store.failure)


def _write_kubeconfig(config: Config, authority: Authority) -> None:
    """The administrator's kubeconfig, readable by nobody else."""
    admin = authority.client("admin", "kubernetes-admin", ["system:masters"])
    files.write(config.state / "kubeconfig", kubeconfig(config, authority.ca, admin.certificate, admin.key), sync=True)


def kubeconfig(config: Config, ca: Path, certificate: Path, key: Path) -> bytes:
    """A kubeconfig (JSON is YAML) that needs no other file."""

    def data(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    name = config.name
    cluster = {"server": f"https://{config.listen}:{config.port}", "certificate-authority-data": data(ca)}
    user = {"client-certificate-data": data(certificate), "client-key-data": data(key)}
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2)


def main(config: Config) -> None:
    """Run in the foreground until SIGTERM or SIGINT."""

    async def until_signalled() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await run(config, stop)

    uvloop.run(until_signalled())
