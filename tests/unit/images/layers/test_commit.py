from pathlib import Path

import pytest

from wherry.images.errors import ImageError
from wherry.images.layers.commit import created
from wherry.process import run


async def test_an_image_is_as_old_as_its_commit(tmp_path: Path) -> None:
    git = ("git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e")
    await run(*git, "init", "-q")
    env = {"PATH": "/usr/bin:/bin", "GIT_COMMITTER_DATE": "2024-05-06T07:08:09Z"}
    await run(*git, "commit", "-q", "--allow-empty", "-m", "x", env=env)
    (tmp_path / "app").mkdir()
    for packed in (False, True):
        if packed:
            await run(*git, "pack-refs", "--all")
        cache = tmp_path / f"cache{packed}"
        assert await created(tmp_path / "app", env, cache, "never") == "2024-05-06T07:08:09Z"
        assert await created(tmp_path / "app", {"PATH": ""}, cache, "never") == "2024-05-06T07:08:09Z"


async def test_or_as_old_as_it_is_told(tmp_path: Path) -> None:
    assert await created(tmp_path, {"SOURCE_DATE_EPOCH": "0"}, tmp_path, "never") == "1970-01-01T00:00:00Z"
    assert await created(tmp_path, {}, tmp_path, "then") == "then"
    with pytest.raises(ImageError, match="SOURCE_DATE_EPOCH is 'now'"):
        await created(tmp_path, {"SOURCE_DATE_EPOCH": "now"}, tmp_path, "never")
