from typing import Any

from wherry.images.bases import restore

LENT = {"SSL_CERT_FILE": "/run/x", "PIP_CERT": "/run/x"}


def restored(base: list[str], *env: str) -> list[str]:
    config: dict[str, Any] = {"config": {"Env": list(env)}}
    restore(base, LENT)(config)
    return list(config["config"]["Env"])


def test_what_was_lent_is_taken_back() -> None:
    assert restored(["A=1"], "A=1", "PIP_CERT=/run/x", "SSL_CERT_FILE=/run/x", "B=2") == ["A=1", "B=2"]


def test_a_base_s_own_value_comes_back_and_the_dockerfile_s_stays() -> None:
    assert restored(["SSL_CERT_FILE=/own"], "SSL_CERT_FILE=/run/x") == ["SSL_CERT_FILE=/own"]
    assert restored(["SSL_CERT_FILE=/own"], "SSL_CERT_FILE=/mine") == ["SSL_CERT_FILE=/mine"]


def test_an_image_without_a_config_keeps_none() -> None:
    config: dict[str, Any] = {}
    restore([], LENT)(config)
    assert config == {}
