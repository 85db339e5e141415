"""A busybox image made of the host's static busybox (Debian's busybox-static); nothing is pulled."""

from pathlib import Path

from wherry.node.sandbox_image import oci_archive, tar

BUSYBOX = "wherry.test/busybox:1"
_APPLETS = ("sh", "cat", "echo", "head", "httpd", "id", "ls", "nc", "sleep", "stat", "tail", "true", "wget")


def busybox_archive(reference: str = BUSYBOX, *, user: str = "", binary: Path = Path("/bin/busybox")) -> bytes:
    """An OCI archive whose command is `sh`."""
    links = {f"bin/{applet}": "busybox" for applet in _APPLETS}
    layer = tar({"bin/busybox": binary.read_bytes()}, links)
    return oci_archive(layer, reference, entrypoint=["/bin/sh"], user=user)
