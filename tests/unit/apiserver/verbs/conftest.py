"""The verbs on a real store, without HTTP and without actors."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from wherry.apiserver.admission.namespaces import NamespaceLifecycle
from wherry.apiserver.admission.pods import PodAdmission
from wherry.apiserver.admission.services import ServiceAllocation
from wherry.apiserver.local import LocalClient
from wherry.apiserver.tokens import Tokens
from wherry.apiserver.verbs.context import SYSTEM, WriteOptions
from wherry.apiserver.verbs.registry import Registry
from wherry.clock import SystemClock
from wherry.kinds import schema
from wherry.kinds.catalog import KINDS
from wherry.objects import Obj
from wherry.objects.errors import ApiError
from wherry.store import Store

TABLE = schema.load()


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[LocalClient]:
    clock, store = SystemClock(), await Store.open(tmp_path / "db")
    admission = (
        NamespaceLifecycle(store),
        PodAdmission(store),
        ServiceAllocation(store, "10.9.0.0/24", (30000, 30100)),
    )
    registry = Registry(store, TABLE, clock, admission)
    registry.serve(KINDS)
    tokens = Tokens(ec.generate_private_key(ec.SECP256R1()), "test", clock)
    made = LocalClient(registry, tokens, WriteOptions(user=SYSTEM, manager="test", field_validation="Warn"))
    await made.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
    await made.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("default")})
    try:
        yield made
    finally:
        await store.close()


def meta(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "namespace": "default", **more}


def service(name: str = "web", **spec: Any) -> Obj:
    spec = {"selector": {"app": name}, "ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta(name), "spec": spec}


def said(error: pytest.ExceptionInfo[ApiError]) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in error.value.causes]
