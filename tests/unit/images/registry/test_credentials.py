"""Credentials as docker and podman keep them."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from wherry.images.errors import ImageError
from wherry.images.registry.credentials import Credentials, find


def auth(name: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{name}:{password}".encode()).decode()}


def docker(home: Path, config: Mapping[str, Any]) -> None:
    (home / ".docker").mkdir(exist_ok=True)
    (home / ".docker" / "config.json").write_text(json.dumps(config))


async def test_docker_hub_goes_by_its_old_name(tmp_path: Path) -> None:
    docker(tmp_path, {"auths": {"https://index.docker.io/v1/": auth("me", "se:cret")}})
    assert await find("docker.io", {}, tmp_path) == Credentials("me", "se:cret")
    assert await find("registry.example.com", {}, tmp_path) is None


async def test_podman_knows_them_by_repository(tmp_path: Path) -> None:
    (tmp_path / "containers").mkdir()
    entries = {"r.example.com": auth("all", "1"), "r.example.com/team/app": auth("app", "2")}
    (tmp_path / "containers" / "auth.json").write_text(json.dumps({"auths": entries}))
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert (await find("r.example.com", environ, tmp_path, "team/app")) == Credentials("app", "2")
    assert (await find("r.example.com", environ, tmp_path, "other")) == Credentials("all", "1")


async def test_a_helper_is_asked_by_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "docker-credential-test"
    script.write_text(
        '#!/bin/sh\nread host\n[ "$host" = r.example.com ] && echo \'{"Username":"<token>","Secret":"id"}\' && exit\n'
        'echo "credentials not found in native keychain"\nexit 1\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    docker(tmp_path, {"credsStore": "test"})
    assert await find("r.example.com", {}, tmp_path) == Credentials(identity_token="id")
    assert await find("other.example.com", {}, tmp_path) is None


async def test_a_helper_that_is_missing_is_named(tmp_path: Path) -> None:
    docker(tmp_path, {"credHelpers": {"r.example.com": "absent"}})
    with pytest.raises(ImageError, match="docker-credential-absent"):
        await find("r.example.com", {}, tmp_path)


@pytest.mark.parametrize("text", ["{", '{"auths": {"r.example.com": {"auth": "%%%"}}}'])
async def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(text)
    with pytest.raises(ImageError, match=r"config\.json"):
        await find("r.example.com", {}, tmp_path)


def test_secrets_are_not_shown() -> None:
    assert "hunter2" not in repr(Credentials("me", "hunter2", "hunter2"))


async def test_the_node_s_own_login_is_taken_where_the_user_has_none(tmp_path: Path) -> None:
    own = tmp_path / "engine.json"
    assert await find("127.0.0.1:5050", {}, tmp_path, last=own) is None
    own.write_text(json.dumps({"auths": {"127.0.0.1:5050": auth("wherry", "1")}}))
    assert await find("127.0.0.1:5050", {}, tmp_path, last=own) == Credentials("wherry", "1")
    assert await find("127.0.0.1:5051", {}, tmp_path, last=own) is None
    docker(tmp_path, {"auths": {"127.0.0.1:5050": auth("me", "2")}})
    assert await find("127.0.0.1:5050", {}, tmp_path, last=own) == Credentials("me", "2")
