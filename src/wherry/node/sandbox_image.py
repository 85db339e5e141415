"""The pod sandbox's image: the host's static catatonit, which waits and reaps, in one layer. Nothing is pulled.

Deterministic: the same binary gives the same bytes.
"""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from wherry.node.containerd_process import SANDBOX_IMAGE

REFERENCE = SANDBOX_IMAGE
BINARY = Path("/usr/bin/catatonit")

_MOUNT_POINTS = ("dev", "etc", "proc", "sys")  # else each sandbox would get its own, on disk
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


def sandbox_archive(binary: Path = BINARY) -> bytes:
    """The image as an OCI archive; raises OSError where catatonit is not installed."""
    layer = tar({"catatonit": binary.read_bytes()}, directories=_MOUNT_POINTS)
    return oci_archive(layer, REFERENCE, entrypoint=["/catatonit", "-P"], user="65535:65535")


def oci_archive(layer: bytes, reference: str, *, entrypoint: Sequence[str], user: str = "") -> bytes:
    """One uncompressed layer as an image in an OCI image layout, in a tar."""
    machine = platform.machine()
    config = _json(
        {
            "architecture": _ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "config": {"Entrypoint": list(entrypoint), "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "User": user},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            "history": [{"created_by": "wherry"}],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
        }
    )
    named = {
        **_descriptor("application/vnd.oci.image.manifest.v1+json", manifest),
        "annotations": {"io.containerd.image.name": reference},
    }
    blobs = {f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}": blob for blob in (layer, config, manifest)}
    index = _json({"schemaVersion": 2, "manifests": [named]})
    return tar({"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": index, **blobs})


def tar(files: Mapping[str, bytes], links: Mapping[str, str] | None = None, directories: Sequence[str] = ()) -> bytes:
    """Directories, executable files of root without times, then symbolic links."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in directories:
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            archive.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mode = tarfile.SYMTYPE, target, 0o777
            archive.addfile(member)
    return out.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}
