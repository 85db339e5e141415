"""What a container runtime makes of names and output: an image's record, a pod's labels, lines of a log."""

import hashlib
from datetime import datetime
from pathlib import Path

from wherry.node.runtime import Image, SandboxSpec


def image_of(reference: str, *, user: str = "", image_id: str = "", pinned: bool = False) -> Image:
    image_id = image_id or f"sha256:{hashlib.sha256(reference.encode()).hexdigest()}"
    tags = () if "@" in reference else (reference,)
    digests = (reference,) if "@" in reference else (f"{reference.rpartition(':')[0]}@{image_id}",)
    return Image(id=image_id, tags=tags, digests=digests, size=1000, user=user, pinned=pinned)


def pod_labels(spec: SandboxSpec) -> dict[str, str]:
    return {
        "io.kubernetes.pod.name": spec.name,
        "io.kubernetes.pod.namespace": spec.namespace,
        "io.kubernetes.pod.uid": spec.uid,
    }


def write_log(path: Path, at: datetime, output: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
    with path.open("ab") as file:
        for line in output.splitlines():
            file.write(f"{stamp} stdout F ".encode() + line + b"\n")
