"""The life of a namespace: nothing is created in one that is missing or ending."""

from dataclasses import dataclass

from wherry.apiserver.verbs.context import Target, WriteOptions
from wherry.apiserver.verbs.registry import object_of
from wherry.objects import Obj
from wherry.objects.errors import Cause, Forbidden, NotFound
from wherry.store import Key, Store


@dataclass(frozen=True)
class NamespaceLifecycle:
    store: Store

    def admit(self, target: Target, obj: Obj, old: Obj | None, options: WriteOptions) -> None:
        if target.kind.id == "Namespace":
            self._keep(obj, old)
            return
        if old is not None or not target.kind.namespaced:
            return
        record = self.store.get(Key("namespaces", "", target.namespace))
        if record is None:
            raise NotFound(f'namespaces "{target.namespace}" not found', name=target.namespace, kind="namespaces")
        if object_of(record)["metadata"].get("deletionTimestamp"):
            said = f"namespace {target.namespace} is being terminated"
            raise Forbidden(
                f'{target.kind.resource} "{target.name}" is forbidden: unable to create new content in namespace '
                f"{target.namespace} because it is being terminated",
                causes=[Cause("NamespaceTerminating", said, "metadata.namespace")],
                name=target.name,
                group=target.kind.group,
                kind=target.kind.plural,
            )

    def _keep(self, obj: Obj, old: Obj | None) -> None:
        """A namespace carries its name as a label; its finalizers change only by `finalize`."""
        meta = obj["metadata"]
        if meta.get("name"):
            meta["labels"] = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}
        if old is None:
            obj["spec"] = {**(obj.get("spec") or {}), "finalizers": ["kubernetes"]}
            obj.setdefault("status", {"phase": "Active"})
        else:
            obj["spec"] = old.get("spec") or {}

    def settled(self, target: Target, obj: Obj, old: Obj | None, *, stored: bool) -> None: ...

    def deleted(self, target: Target, obj: Obj) -> None: ...
