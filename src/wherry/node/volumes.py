"""A pod's volumes and files on this node: made before its sandbox, kept current, removed after its end."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wherry.client.lister import Lister
from wherry.node import dns_settings
from wherry.node.environment import environment, expand
from wherry.node.host_paths import host_path, open_beneath
from wherry.node.resources import pod_resources
from wherry.node.runtime import MountSpec
from wherry.node.security import pod_context
from wherry.node.settings import NodeSettings
from wherry.node.tokens import Tokens
from wherry.node.volume_files import File, write_set
from wherry.node.volume_sources import KEPT_CURRENT, FileSources, NoVolume
from wherry.objects import Obj, quantities
from wherry.objects.errors import ApiError
from wherry.process import ProgramError, run

ETC_HOSTS = "/etc/hosts"
MESSAGE_PATH = "/dev/termination-log"


class FailedMount(Exception):
    """A volume cannot be made now; the message is the Event's."""


@dataclass
class Volumes:
    """Below `settings.pods/UID`: `volumes/NAME`, `subpaths/...`, `containers/NAME/ATTEMPT`, `etc-hosts`.

    Volumes whose files come from the API are in `settings.source_dir`, which is in memory.
    """

    settings: NodeSettings
    lister: Lister
    tokens: Tokens

    async def make(self, pod: Obj) -> None:
        """Make all volumes; those that are there already are brought up to date. Raises FailedMount."""
        home = self.settings.pod_dir(pod["metadata"]["uid"])
        await asyncio.to_thread(_make_home, home)
        failures = []
        for volume in pod["spec"].get("volumes") or ():
            try:
                await self._make(pod, volume, self._at(pod, volume))
            except (NoVolume, ProgramError, OSError) as error:
                failures.append(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}')
            except ApiError as error:
                text = f"failed to fetch token: {error.message}"
                failures.append(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {text}')
        if failures:
            raise FailedMount("; ".join(failures))

    async def refresh(self, pod: Obj) -> None:
        """Bring files up to date after a change of their sources. What has gone is kept, as upstream does."""
        for volume in pod["spec"].get("volumes") or ():
            if _from_api(volume):
                try:
                    await self._make(pod, volume, self._at(pod, volume))
                except (NoVolume, ApiError, OSError):
                    continue

    async def mounts(self, pod: Obj, container: Obj, attempt: int, pod_ip: str) -> tuple[list[MountSpec], str]:
        """What the container mounts, and its termination message's file. Raises FailedMount."""
        home = self.settings.pod_dir(pod["metadata"]["uid"])
        own = container.get("volumeMounts") or ()
        try:
            out = [await self._mount(pod, container, mount, index, pod_ip) for index, mount in enumerate(own)]
            text = home / "containers" / container["name"] / str(attempt)
            await asyncio.to_thread(self._write_files, pod, home, text, pod_ip)
        except (NoVolume, ProgramError, OSError) as error:
            raise FailedMount(str(error)) from error
        paths = {mount["mountPath"].rstrip("/") for mount in own}
        if ETC_HOSTS not in paths:
            out.append(MountSpec(host_path=str(home / "etc-hosts"), container_path=ETC_HOSTS))
        where = container.get("terminationMessagePath") or MESSAGE_PATH
        out.append(MountSpec(host_path=str(text), container_path=where))
        return out, str(text)

    async def drop(self, uid: str) -> None:
        """Unmount and remove all. Raises ProgramError where something is still in use."""
        home = self.settings.pod_dir(uid)
        for mounted in reversed(await asyncio.to_thread(_mounted_below, home)):
            await run("umount", mounted)
        await asyncio.to_thread(_remove, self.settings.source_dir(uid).parent, home)
        self.tokens.forget(uid)

    async def _make(self, pod: Obj, volume: Obj, place: Path) -> None:
        fs_group = pod_context(pod).get("fsGroup")
        if _from_api(volume):
            tokens = await self.tokens.tokens(pod) if volume.get("projected") else {}
            files: dict[str, File] = FileSources(self.lister, self.settings, tokens).files(pod, volume)
            await asyncio.to_thread(write_set, place, files, fs_group)
        elif volume.get("emptyDir") is not None:
            most = min(pod_resources(pod).memory_limit or self.settings.memory_bytes, self.settings.memory_bytes)
            await _empty_dir(volume["emptyDir"], place, fs_group, most)
        else:
            path, kind = self._host_path(pod, volume)
            await asyncio.to_thread(host_path, path, kind)

    def _host_path(self, pod: Obj, volume: Obj) -> tuple[str, str]:
        """Path and type of what is on the host: a hostPath, or the volume that a claim is bound to."""
        if volume.get("hostPath") is not None:
            return volume["hostPath"]["path"], volume["hostPath"].get("type") or ""
        claim = volume.get("persistentVolumeClaim")
        if claim is None:
            kinds = ", ".join(sorted(set(volume) - {"name"}))
            raise NoVolume(f"volumes of type {kinds} are not supported on this node")
        found = self.lister.get("PersistentVolumeClaim", pod["metadata"]["namespace"], claim["claimName"])
        if found is None:
            raise NoVolume(f'persistentvolumeclaim "{claim["claimName"]}" not found')
        bound = self.lister.get("PersistentVolume", "", (found.get("spec") or {}).get("volumeName") or "")
        if bound is None:
            raise NoVolume(f'persistentvolumeclaim "{claim["claimName"]}" is not bound')
        source = bound["spec"].get("hostPath") or bound["spec"].get("local")
        if source is None:
            raise NoVolume(f'persistentvolume "{bound["metadata"]["name"]}" is not on this node')
        return source["path"], source.get("type") or ""

    def _place(self, pod: Obj, name: str) -> Path:
        volume = next((one for one in pod["spec"].get("volumes") or () if one["name"] == name), None)
        if volume is None:
            raise NoVolume(f'volume "{name}" is not in the pod')
        if volume.get("emptyDir") is not None or _from_api(volume):
            return self._at(pod, volume)
        return Path(self._host_path(pod, volume)[0])

    def _at(self, pod: Obj, volume: Obj) -> Path:
        """Where a volume of the pod's own is."""
        uid = pod["metadata"]["uid"]
        below = self.settings.source_dir(uid) if _from_api(volume) else self.settings.pod_dir(uid) / "volumes"
        return below / str(volume["name"])

    async def _mount(self, pod: Obj, container: Obj, mount: Obj, index: int, pod_ip: str) -> MountSpec:
        place = self._place(pod, mount["name"])
        sub_path = mount.get("subPath") or ""
        if mount.get("subPathExpr"):
            known = dict(environment(pod, container, self.lister, self.settings, pod_ip))
            sub_path = expand(mount["subPathExpr"], known)
            if "$(" in sub_path:
                raise NoVolume(f"failed to expand subPathExpr {mount['subPathExpr']!r}")
        if sub_path:
            place = await self._bind(pod, place, sub_path, f"{mount['name']}/{container['name']}/{index}")
        return MountSpec(
            host_path=str(place),
            container_path=mount["mountPath"],
            readonly=bool(mount.get("readOnly")),
            propagation=mount.get("mountPropagation") or "None",
        )

    async def _bind(self, pod: Obj, root: Path, sub_path: str, name: str) -> Path:
        """What the subPath is now, bound to a place that no container can change."""
        if (root / "..data").is_symlink():
            return root / "..data" / sub_path
        target = self.settings.pod_dir(pod["metadata"]["uid"]) / "subpaths" / name
        if str(target) in await asyncio.to_thread(_mounted_below, target):
            return target
        descriptor = await asyncio.to_thread(open_beneath, root, sub_path)
        try:
            await asyncio.to_thread(_make_target, target, descriptor)
            await run("mount", "-c", "--bind", f"/proc/self/fd/{descriptor}", str(target), pass_fds=(descriptor,))
        finally:
            os.close(descriptor)
        return target

    def _write_files(self, pod: Obj, home: Path, message: Path, pod_ip: str) -> None:
        message.parent.mkdir(parents=True, exist_ok=True)
        message.touch()
        message.chmod(0o666)
        host = Path(ETC_HOSTS).read_text(errors="replace") if pod["spec"].get("hostNetwork") else ""
        hosts = home / "etc-hosts"
        text = dns_settings.hosts_file(pod, self.settings, pod_ip, host)
        if not hosts.exists() or hosts.read_text() != text:
            hosts.write_text(text)  # in place: running containers have it mounted
            hosts.chmod(0o644)


async def _empty_dir(source: Obj, place: Path, fs_group: int | None, most: int) -> None:
    """In memory never more than `most` bytes: what the pod may use."""
    if await asyncio.to_thread(place.exists):
        return
    await asyncio.to_thread(place.mkdir, parents=True)
    if source.get("medium") == "Memory":
        limit = quantities.parse(source["sizeLimit"]).value() if source.get("sizeLimit") else 0
        await run("mount", "-t", "tmpfs", "-o", f"size={min(limit or most, most)}", "tmpfs", str(place))
    await asyncio.to_thread(_open_to_all, place, fs_group)


def _make_home(home: Path) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / "volumes").mkdir(mode=0o700, exist_ok=True)


def _open_to_all(place: Path, fs_group: int | None) -> None:
    if fs_group is not None:
        os.chown(place, -1, fs_group)
    place.chmod(0o777 if fs_group is None else 0o2777)


def _make_target(target: Path, descriptor: int) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.path.isdir(f"/proc/self/fd/{descriptor}"):
        target.mkdir(exist_ok=True)
    else:
        target.touch()


def _mounted_below(home: Path) -> Sequence[str]:
    """Mount points at or below, in the order they were mounted."""
    prefix = str(home)
    lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    points = (line.split(" ", 5)[4].replace("\\040", " ") for line in lines)
    return [point for point in points if point == prefix or point.startswith(f"{prefix}/")]


def _remove(*homes: Path) -> None:
    for home in homes:
        if home.exists():
            shutil.rmtree(home)


def _from_api(volume: Obj) -> bool:
    return any(volume.get(key) is not None for key in KEPT_CURRENT)
