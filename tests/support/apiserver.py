"""The real verbs, store and HTTP server in this process, without controllers or a node."""

import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from wherry.apiserver.admission.namespaces import NamespaceLifecycle
from wherry.apiserver.admission.pods import PodAdmission
from wherry.apiserver.admission.services import ServiceAllocation
from wherry.apiserver.bootstrap import bootstrap
from wherry.apiserver.certificates import Authority
from wherry.apiserver.http.authn import Authenticator
from wherry.apiserver.http.authz import Authorizer
from wherry.apiserver.http.server import Server, listen, tls_context
from wherry.apiserver.http.streams import Streams
from wherry.apiserver.local import LocalClient
from wherry.apiserver.ports import ExecOptions, LogOptions
from wherry.apiserver.tokens import Tokens
from wherry.apiserver.verbs.context import SYSTEM, WriteOptions
from wherry.apiserver.verbs.registry import Registry
from wherry.clock import SystemClock
from wherry.kinds import schema
from wherry.kinds.catalog import KINDS
from wherry.objects import Obj
from wherry.objects.errors import BadRequest
from wherry.store import Store

LOG = b"first line\nlast line\n"


class NoNode:
    """Pods have a log and nothing else."""

    async def logs(self, pod: Obj, options: LogOptions) -> AsyncIterator[bytes]:
        if options.previous:
            raise BadRequest("previous terminated container not found")
        lines = LOG.splitlines(keepends=True)
        for line in lines[-options.tail_lines :] if options.tail_lines else lines:
            yield line

    async def exec(self, pod: Obj, options: ExecOptions) -> str:
        raise BadRequest("the container is not running")

    async def attach(self, pod: Obj, options: ExecOptions) -> str:
        raise BadRequest("the container is not running")

    async def port_forward(self, pod: Obj, ports: Sequence[int]) -> str:
        raise BadRequest("the pod is not running")


@dataclass(frozen=True)
class ApiServer:
    """`local` acts in the process; `kubeconfig` is of an administrator."""

    local: LocalClient
    address: str
    kubeconfig: Path


@asynccontextmanager
async def api_server(directory: Path) -> AsyncIterator[ApiServer]:
    """Serve on a free port of 127.0.0.1, with everything under `directory`."""
    clock = SystemClock()
    store = await Store.open(directory / "db")
    authority = Authority(directory / "pki", clock.now())
    admission = (
        NamespaceLifecycle(store),
        PodAdmission(store),
        ServiceAllocation(store, "10.99.0.0/24", (31000, 31100)),
    )
    registry = Registry(store, schema.load(), clock, admission)
    registry.serve(KINDS)
    tokens = Tokens(authority.signing_key(), "test", clock)
    local = LocalClient(registry, tokens, WriteOptions(user=SYSTEM, manager="test"))
    await bootstrap(local, "10.99.0.1", ("10.99.0.2", 6443))
    version = {"gitVersion": "v1.34.4", "major": "1", "minor": "34"}
    server = Server(
        registry=registry,
        table=registry.table,
        authenticator=Authenticator(registry, tokens),
        authorizer=Authorizer(registry),
        streams=Streams(NoNode()),
        version=version,
        hosts=frozenset(("127.0.0.1",)),
        ready=lambda: True,
    )
    serving = authority.serving(["127.0.0.1"])
    context = tls_context(str(serving.certificate), str(serving.key), str(authority.ca))
    runner = await listen(server, [("127.0.0.1", 0)], context)
    address = f"https://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield ApiServer(local, address, _kubeconfig(directory, authority, address))
    finally:
        await runner.cleanup()
        await store.close()


def _kubeconfig(directory: Path, authority: Authority, address: str) -> Path:
    admin = authority.client("admin", "kubernetes-admin", ["system:masters"])
    user = {
        "client-certificate-data": base64.b64encode(admin.certificate.read_bytes()).decode(),
        "client-key-data": base64.b64encode(admin.key.read_bytes()).decode(),
    }
    whole = {
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": address, "certificate-authority": "pki/ca.crt"}}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "admin"}}],
    }
    path = directory / "kubeconfig"
    path.write_text(json.dumps(whole))
    return path
