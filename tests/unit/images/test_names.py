import pytest

from wherry.images.errors import ImageError
from wherry.images.names import full_name, repository

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("python", "docker.io/library/python:latest"),
        ("python:3.7", "docker.io/library/python:3.7"),
        ("myregistry/webapp:latest", "docker.io/myregistry/webapp:latest"),
        ("localhost/a/b", "localhost/a/b:latest"),
        ("127.0.0.1:5000/a", "127.0.0.1:5000/a:latest"),
        ("ghcr.io/x/y:v1", "ghcr.io/x/y:v1"),
        (f"webapp@{DIGEST}", f"docker.io/library/webapp@{DIGEST}"),
        (f"webapp:v1@{DIGEST}", f"docker.io/library/webapp@{DIGEST}"),
    ],
)
def test_short_names_become_full_ones(written: str, full: str) -> None:
    assert full_name(written) == full


@pytest.mark.parametrize("written", ["", "Web", "a b", "a:", "x/-y", "a@sha256:12", "a/b:tag/c", "../a", "a\n"])
def test_what_is_no_name_is_refused(written: str) -> None:
    with pytest.raises(ImageError, match="is no image name"):
        full_name(written)


def test_a_repository_has_neither_tag_nor_digest() -> None:
    assert repository("localhost:5000/a/b:v1") == "localhost:5000/a/b"
    assert repository(f"webapp@{DIGEST}") == "docker.io/library/webapp"
