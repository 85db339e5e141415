"""Media types in OCI's words: all of a manifest has to be in the words of one specification."""

from wherry.images.layout import LAYER

_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


def oci_layer(media: str) -> str:
    """The OCI type of a layer that docker's or OCI's type names."""
    if media.startswith(_DOCKER_LAYER):
        return f"{LAYER}+gzip" if media.endswith("gzip") else LAYER
    return media
