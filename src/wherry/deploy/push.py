"""Bring a built image to where a cluster's nodes pull it from."""

import json
import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from wherry.deploy.errors import DeployError
from wherry.images.built import BuiltImage
from wherry.process import ProgramError, run

PUSH_SECONDS = 1800.0


async def push(built: BuiltImage, reference: str) -> None:
    """Push the image as `reference` (HOST/PATH:TAG) with the credentials that skopeo finds. Raises DeployError."""
    with tempfile.TemporaryDirectory(prefix="wherry-push-") as directory:
        layout = _of_one_image(Path(directory), built)
        insecure = ["--dest-tls-verify=false"] if _is_loopback(reference) else []
        try:
            await run(
                *("skopeo", "copy", "--quiet", "--preserve-digests", *insecure),
                *(f"oci:{layout}", f"docker://{reference}"),
                timeout=PUSH_SECONDS,
            )
        except ProgramError as error:
            raise DeployError(
                f"the image could not be pushed to {reference}: {error}",
                "is the registry's address right, and are you logged in there (skopeo login HOST)?",
            ) from None


def _of_one_image(directory: Path, built: BuiltImage) -> Path:
    """A layout whose index has this image alone: skopeo takes the only one there is."""
    manifest = built.layout / "blobs" / built.digest.replace(":", "/")
    size = manifest.stat().st_size
    media = json.loads(manifest.read_bytes()).get("mediaType", "application/vnd.oci.image.manifest.v1+json")
    index = {"schemaVersion": 2, "manifests": [{"mediaType": media, "digest": built.digest, "size": size}]}
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (directory / "index.json").write_text(json.dumps(index))
    os.symlink((built.layout / "blobs").resolve(), directory / "blobs")
    return directory


def _is_loopback(reference: str) -> bool:
    host = urlsplit(f"//{reference}").hostname or ""
    return host == "localhost" or host.startswith("127.")
