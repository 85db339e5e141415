"""What the files of a configMap, secret, downwardAPI or projected volume are. Pure."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from wherry.client.lister import Lister
from wherry.node.downward import field_value, resource_value
from wherry.node.security import BadConfig, pod_context, setting
from wherry.node.settings import NodeSettings
from wherry.node.volume_files import File
from wherry.objects import Obj, Ref

DEFAULT_MODE = 0o644
KEPT_CURRENT = ("configMap", "secret", "downwardAPI", "projected")


class NoVolume(Exception):
    """A volume cannot be made (now); the message is upstream's."""


@dataclass(frozen=True)
class TokenAsked:
    """One projected ServiceAccount token."""

    audience: str
    seconds: int


def tokens_asked(pod: Obj) -> set[TokenAsked]:
    return {
        _token(source["serviceAccountToken"])
        for volume in pod["spec"].get("volumes") or ()
        for source in (volume.get("projected") or {}).get("sources") or ()
        if source.get("serviceAccountToken")
    }


def _token(source: Obj) -> TokenAsked:
    return TokenAsked(source.get("audience") or "", int(source.get("expirationSeconds") or 3600))


def sources(pod: Obj) -> set[Ref]:
    """The ConfigMaps and Secrets that the pod's volumes and variables are made of."""
    namespace, spec = pod["metadata"]["namespace"], pod["spec"]
    found: set[Ref] = set()

    def add(kind: str, reference: Obj | None, key: str = "name") -> None:
        if reference and reference.get(key):
            found.add(Ref(kind, namespace, reference[key]))

    for volume in spec.get("volumes") or ():
        add("ConfigMap", volume.get("configMap"))
        add("Secret", volume.get("secret"), "secretName")
        for source in (volume.get("projected") or {}).get("sources") or ():
            add("ConfigMap", source.get("configMap"))
            add("Secret", source.get("secret"))
        add("PersistentVolumeClaim", volume.get("persistentVolumeClaim"), "claimName")
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for source in container.get("envFrom") or ():
            add("ConfigMap", source.get("configMapRef"))
            add("Secret", source.get("secretRef"))
        for variable in container.get("env") or ():
            add("ConfigMap", (variable.get("valueFrom") or {}).get("configMapKeyRef"))
            add("Secret", (variable.get("valueFrom") or {}).get("secretKeyRef"))
    for secret in spec.get("imagePullSecrets") or ():
        add("Secret", secret)
    return found


@dataclass(frozen=True)
class FileSources:
    """Where the content comes from; `tokens` are those that `tokens_asked` named."""

    lister: Lister
    settings: NodeSettings
    tokens: Mapping[TokenAsked, str]

    def files(self, pod: Obj, volume: Obj) -> dict[str, File]:
        """By relative path. Raises NoVolume."""
        kind = next(key for key in KEPT_CURRENT if volume.get(key) is not None)
        source = volume[kind]
        mode = DEFAULT_MODE if source.get("defaultMode") is None else int(source["defaultMode"])
        try:
            if kind == "projected":
                out: dict[str, File] = {}
                for one in source.get("sources") or ():
                    for key, value in one.items():
                        out |= self._source(pod, key, value, mode)
                return out
            return self._source(pod, kind, source, mode)
        except BadConfig as error:
            raise NoVolume(str(error)) from error

    def _source(self, pod: Obj, kind: str, source: Obj, mode: int) -> dict[str, File]:
        match kind:
            case "configMap":
                return self._keys(pod, "ConfigMap", source.get("name", ""), source, mode)
            case "secret":
                return self._keys(pod, "Secret", source.get("secretName") or source.get("name", ""), source, mode)
            case "downwardAPI":
                return self._downward(pod, source, mode)
            case "serviceAccountToken":
                return self._token_file(pod, source, mode)
        raise NoVolume(f"projected volume source {kind} is not supported on this node")

    def _keys(self, pod: Obj, kind: str, name: str, source: Obj, mode: int) -> dict[str, File]:
        namespace = pod["metadata"]["namespace"]
        obj = self.lister.get(kind, namespace, name)
        if obj is None:
            if source.get("optional"):
                return {}
            raise NoVolume(f'{kind.lower()} "{name}" not found')
        data = _contents(kind, obj)
        items = source.get("items")
        if not items:
            return {key: File(value, mode) for key, value in data.items()}
        out = {}
        for item in items:
            if item["key"] in data:
                out[item["path"]] = File(data[item["key"]], _mode(item, mode))
            elif not source.get("optional"):
                what = "config" if kind == "ConfigMap" else "secret"
                raise NoVolume(f"references non-existent {what} key: {item['key']}")
        return out

    def _downward(self, pod: Obj, source: Obj, mode: int) -> dict[str, File]:
        out = {}
        for item in source.get("items") or ():
            if item.get("fieldRef"):
                text = field_value(pod, item["fieldRef"]["fieldPath"], self.settings, "")
            else:
                text = resource_value(pod, {"name": ""}, item["resourceFieldRef"], self.settings)
            out[item["path"]] = File(text.encode(), _mode(item, mode))
        return out

    def _token_file(self, pod: Obj, source: Obj, mode: int) -> dict[str, File]:
        """Readable by the pod's user alone, where all its containers have the same."""
        user = common_user(pod)
        if user is not None or pod_context(pod).get("fsGroup") is not None:
            mode = 0o600
        return {source["path"]: File(self.tokens[_token(source)].encode(), mode, user)}


def common_user(pod: Obj) -> int | None:
    spec = pod["spec"]
    users = {setting(pod, one, "runAsUser") for one in (*(spec.get("initContainers") or ()), *spec["containers"])}
    user = users.pop() if len(users) == 1 else None
    return None if user is None else int(user)


def _mode(item: Obj, default: int) -> int:
    return default if item.get("mode") is None else int(item["mode"])


def _contents(kind: str, obj: Obj) -> dict[str, bytes]:
    data = obj.get("data") or {}
    if kind == "Secret":
        return {key: base64.b64decode(value) for key, value in data.items()}
    binary = obj.get("binaryData") or {}
    return {
        **{key: value.encode() for key, value in data.items()},
        **{key: base64.b64decode(value) for key, value in binary.items()},
    }
