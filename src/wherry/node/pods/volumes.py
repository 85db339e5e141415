"""A pod's volumes as directories on this machine, and where they appear in its containers.

What comes from objects is written beside and switched by one rename of the `..data` link, as the kubelet does: a
reader sees the old set of files or the new one. Blocking calls run in a thread.
"""

import asyncio
import base64
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wherry.client.client import Client
from wherry.client.lister import Lister
from wherry.node.pods.environment import ConfigError, Surroundings, field_of, resource_of
from wherry.node.runtime import MountSpec
from wherry.objects import Obj

Files = Mapping[str, tuple[bytes, int]]
"""Relative path -> content and mode."""


class MountError(Exception):
    """A volume cannot be made (yet): `FailedMount`. The message is the kubelet's."""


@dataclass(frozen=True)
class Volumes:
    """The volumes of all pods below `root`."""

    root: Path
    client: Client
    lister: Lister

    def directory(self, pod: Obj) -> Path:
        return self.root / "pods" / str(pod["metadata"]["uid"])

    async def make(self, pod: Obj, around: Surroundings) -> None:
        """Make or refresh every volume. Raises MountError."""
        base = self.directory(pod)
        await asyncio.to_thread(_make_base, base, pod, around)
        for volume in pod["spec"].get("volumes") or ():
            where = base / "volumes" / volume["name"]
            try:
                files = await self._files(pod, volume, around)
            except ConfigError as error:
                raise MountError(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}') from error
            group = (pod["spec"].get("securityContext") or {}).get("fsGroup")
            if files is not None:
                await asyncio.to_thread(write_set, where, files, group)
            elif "emptyDir" in volume:
                await asyncio.to_thread(_empty, where, group)
            elif "hostPath" in volume:
                await asyncio.to_thread(_host_path, volume["name"], volume["hostPath"])
            else:
                source = next((key for key in volume if key != "name"), "none")
                raise MountError(f'volume "{volume["name"]}": this node has no volumes of type {source}')

    async def drop(self, pod: Obj) -> None:
        await asyncio.to_thread(shutil.rmtree, self.directory(pod), True)

    async def _files(self, pod: Obj, volume: Obj, around: Surroundings) -> dict[str, tuple[bytes, int]] | None:
        for field, mode in (("configMap", 0o644), ("secret", 0o644), ("downwardAPI", 0o644)):
            if field in volume:
                return await self._source(pod, field, volume[field], volume[field].get("defaultMode", mode), around)
        if "projected" not in volume:
            return None
        out: dict[str, tuple[bytes, int]] = {}
        mode = volume["projected"].get("defaultMode", 0o644)
        for source in volume["projected"].get("sources") or ():
            for field, value in source.items():
                out.update(await self._source(pod, field, value, mode, around))
        return out

    async def _source(
        self, pod: Obj, field: str, source: Obj, mode: int, around: Surroundings
    ) -> dict[str, tuple[bytes, int]]:
        match field:
            case "configMap" | "secret":
                return self._entries(pod, field, source, mode)
            case "downwardAPI":
                return {
                    item["path"]: (_downward(pod, item, around), item.get("mode", mode))
                    for item in source.get("items") or ()
                }
            case "serviceAccountToken":
                return {source["path"]: (await self._token(pod, source), 0o600 if _owned(pod) else mode)}
        raise MountError(f"projected volumes have no source {field}")

    def _entries(self, pod: Obj, field: str, source: Obj, mode: int) -> dict[str, tuple[bytes, int]]:
        kind = "ConfigMap" if field == "configMap" else "Secret"
        name = source.get("name") or source.get("secretName", "")
        found = self.lister.get(kind, pod["metadata"]["namespace"], name)
        if found is None:
            if source.get("optional"):
                return {}
            raise ConfigError(f'{kind.lower()} "{name}" not found')
        data = {key: _bytes(kind, value) for key, value in (found.get("data") or {}).items()}
        data |= {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}
        items = source.get("items")
        if not items:
            return {key: (value, mode) for key, value in data.items()}
        missing = [item["key"] for item in items if item["key"] not in data]
        if missing and not source.get("optional"):
            raise ConfigError(f"references non-existent {kind.lower()} key: {missing[0]}")
        return {i["path"]: (data[i["key"]], i.get("mode", mode)) for i in items if i["key"] in data}

    async def _token(self, pod: Obj, source: Obj) -> bytes:
        meta = pod["metadata"]
        spec: Obj = {
            "expirationSeconds": source.get("expirationSeconds", 3600),
            "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": meta["uid"]},
        }
        if source.get("audience"):
            spec["audiences"] = [source["audience"]]
        account = pod["spec"].get("serviceAccountName", "default")
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = await self.client.post("ServiceAccount", meta["namespace"], account, "token", asked)
        return str(answer["status"]["token"]).encode()

    def mounts(self, pod: Obj, container: Obj) -> Iterator[MountSpec]:
        """What a container sees. Raises ConfigError for a subPath that leaves its volume."""
        base = self.directory(pod)
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
        for mount in container.get("volumeMounts") or ():
            volume = volumes[mount["name"]]
            host = Path(volume["hostPath"]["path"]) if "hostPath" in volume else base / "volumes" / mount["name"]
            if mount.get("subPath"):
                host = _inside(host, mount["subPath"])
            propagation = mount.get("mountPropagation") or "None"
            yield MountSpec(
                host_path=str(host),
                container_path=mount["mountPath"],
                readonly=bool(mount.get("readOnly")),
                propagation=propagation,
            )
        if not pod["spec"].get("hostNetwork"):
            yield MountSpec(host_path=str(base / "hosts"), container_path="/etc/hosts")


def _inside(root: Path, relative: str) -> Path:
    """`relative` below `root`, made if missing; links must not lead out."""
    path = root / relative
    if not path.exists():
        path.mkdir(parents=True, mode=0o755)
    real = path.resolve()
    if not real.is_relative_to(root.resolve()):
        raise ConfigError(f"subPath {relative} leads out of its volume")
    return real


def _bytes(kind: str, value: str) -> bytes:
    return base64.b64decode(value) if kind == "Secret" else value.encode()


def _downward(pod: Obj, item: Obj, around: Surroundings) -> bytes:
    if "fieldRef" in item:
        return field_of(pod, item["fieldRef"]["fieldPath"], around).encode()
    named = item["resourceFieldRef"]
    container = next(c for c in pod["spec"]["containers"] if c["name"] == named.get("containerName"))
    return resource_of(pod, container, named).encode()


def _owned(pod: Obj) -> bool:
    """Whether all containers run as root, so that nobody else needs to read the token."""
    users = [(c.get("securityContext") or {}).get("runAsUser") for c in pod["spec"]["containers"]]
    common = pod["spec"].get("securityContext") or {}
    return all((user if user is not None else common.get("runAsUser")) == 0 for user in users)


def _make_base(base: Path, pod: Obj, around: Surroundings) -> None:
    (base / "volumes").mkdir(parents=True, exist_ok=True, mode=0o750)
    name = pod["spec"].get("hostname") or pod["metadata"]["name"]
    lines = [
        "# Kubernetes-managed hosts file.",
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
    ]
    if around.pod_ip:
        lines.append(f"{around.pod_ip}\t{name}")
    aliases = pod["spec"].get("hostAliases") or ()
    lines += [f"{alias['ip']}\t{' '.join(alias.get('hostnames') or ())}" for alias in aliases]
    text = "\n".join(lines) + "\n"
    path = base / "hosts"
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
        path.chmod(0o644)


def write_set(where: Path, files: Files, group: int | None) -> None:
    """Replace the set of files in `where` at once; nothing is written when nothing changed."""
    where.mkdir(parents=True, exist_ok=True, mode=0o755)
    link = where / "..data"
    if link.is_symlink() and _holds(link.resolve(), files):
        return
    generation = where / f"..{os.urandom(6).hex()}"
    for name, (content, mode) in files.items():
        path = generation / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        path.write_bytes(content)
        path.chmod(mode | (0o040 if group is not None else 0))
        if group is not None:
            os.chown(path, -1, group)
    generation.mkdir(exist_ok=True, mode=0o755)
    old = link.resolve() if link.is_symlink() else None
    draft = where / "..data_tmp"
    draft.unlink(missing_ok=True)
    draft.symlink_to(generation.name)
    draft.replace(link)
    for top in {name.split("/")[0] for name in files}:
        visible = where / top
        if not visible.is_symlink():
            visible.symlink_to(f"..data/{top}")
    for visible in where.iterdir():
        if not visible.name.startswith("..") and visible.name not in {name.split("/")[0] for name in files}:
            visible.unlink()
    if old is not None and old != generation:
        shutil.rmtree(old, ignore_errors=True)


def _holds(directory: Path, files: Files) -> bool:
    present = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    return present == set(files) and all((directory / n).read_bytes() == content for n, (content, _) in files.items())


def _empty(where: Path, group: int | None) -> None:
    if where.exists():
        return
    where.mkdir(parents=True)
    where.chmod(0o777)
    if group is not None:
        os.chown(where, -1, group)
        where.chmod(0o2777)


def _host_path(name: str, source: Obj) -> None:
    path, kind = Path(source["path"]), source.get("type") or ""
    if kind == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True, mode=0o755)
    elif kind == "FileOrCreate":
        path.touch(mode=0o644)
    checks = {
        "Directory": path.is_dir,
        "File": path.is_file,
        "Socket": path.is_socket,
        "CharDevice": path.is_char_device,
        "BlockDevice": path.is_block_device,
    }
    if kind in checks and not checks[kind]():
        raise MountError(
            f'MountVolume.SetUp failed for volume "{name}" : hostPath type check failed: {path} is not a {kind.lower()}'
        )
