"""What a new pod gets from others: its service account and token volume, its priority, the usual tolerations."""

from dataclasses import dataclass

from wherry.apiserver.verbs.context import Target, WriteOptions
from wherry.apiserver.verbs.registry import object_of
from wherry.objects import Obj
from wherry.objects.errors import Forbidden
from wherry.store import Key, Store

MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 3607  # upstream's number: an hour, and a mark by which this kind of token is known
AWAY_SECONDS = 300
SYSTEM_PRIORITIES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}


@dataclass(frozen=True)
class PodAdmission:
    store: Store

    def admit(self, target: Target, obj: Obj, old: Obj | None, options: WriteOptions) -> None:
        if target.kind.id != "Pod" or target.subresource:
            return
        if old is not None:
            self._tolerations(obj["spec"])
            return
        self._service_account(target, obj)
        self._priority(target, obj["spec"])
        self._tolerations(obj["spec"])

    def _service_account(self, target: Target, pod: Obj) -> None:
        spec = pod["spec"]
        name = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        record = self.store.get(Key("serviceaccounts", target.namespace, name))
        if record is None:
            raise self._forbidden(
                target, f'error looking up service account {target.namespace}/{name}: serviceaccount "{name}" not found'
            )
        account = object_of(record)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = account["imagePullSecrets"]
        wanted = spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True))
        if wanted:
            self._mount_token(pod)

    def _mount_token(self, pod: Obj) -> None:
        spec = pod["spec"]
        containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
        bare = [
            container
            for container in containers
            if all(mount.get("mountPath") != MOUNT for mount in container.get("volumeMounts") or ())
        ]
        if not bare:
            return
        volume = "kube-api-access-" + pod["metadata"]["uid"][-5:]
        spec["volumes"] = [*(spec.get("volumes") or ()), token_volume(volume)]
        for container in bare:
            mount = {"name": volume, "readOnly": True, "mountPath": MOUNT}
            container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]

    def _priority(self, target: Target, spec: Obj) -> None:
        name = spec.get("priorityClassName")
        classes = [object_of(r) for r in self.store.scan("priorityclasses.scheduling.k8s.io")]
        if name:
            chosen = next((c for c in classes if c["metadata"]["name"] == name), None)
            value = chosen["value"] if chosen else SYSTEM_PRIORITIES.get(name)
            if value is None:
                raise self._forbidden(target, f"no PriorityClass with name {name} was found")
        else:
            chosen = next((c for c in classes if c.get("globalDefault")), None)
            value = chosen["value"] if chosen else 0
            if chosen:
                spec["priorityClassName"] = chosen["metadata"]["name"]
        if spec.get("priority") not in (None, value):
            raise self._forbidden(
                target,
                f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; priority "
                f"admission controller computed {value} from the given PriorityClass name",
            )
        spec["priority"] = value
        spec.setdefault("preemptionPolicy", (chosen or {}).get("preemptionPolicy", "PreemptLowerPriority"))

    def _tolerations(self, spec: Obj) -> None:
        """Stay for five minutes on a node that is not ready or not reachable."""
        tolerations = list(spec.get("tolerations") or ())
        for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
            if not any(
                t.get("key") in (None, "", key) and t.get("effect") in (None, "", "NoExecute") for t in tolerations
            ):
                tolerations.append(
                    {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": AWAY_SECONDS}
                )
        spec["tolerations"] = tolerations

    def _forbidden(self, target: Target, said: str) -> Forbidden:
        return Forbidden(f'pods "{target.name}" is forbidden: {said}', name=target.name, kind="pods")

    def settled(self, target: Target, obj: Obj, old: Obj | None, *, stored: bool) -> None: ...

    def deleted(self, target: Target, obj: Obj) -> None: ...


def token_volume(name: str) -> Obj:
    """The projected volume with the pod's token, the cluster's CA and its namespace."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "name": name,
        "projected": {
            "defaultMode": 420,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [namespace]}},
            ],
        },
    }
