"""What of this machine's network settings a RUN needs: certificate authorities, and the package indexes of pip and uv.

They are files in one read-only mount, which is in no layer. A few variables point there; their values are the same on
every machine and hold no secret. Proxies are buildah's own business: it hands them to a RUN and forgets them.
"""

import configparser
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MOUNT = "/run/wherry-build"  # where a RUN finds them; only this empty directory stays in a layer
_BUNDLE = f"{MOUNT}/ca-certificates.crt"

_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),  # Debian, Ubuntu, Alpine, Arch
    Path("/etc/pki/tls/certs/ca-bundle.crt"),  # Fedora, RHEL
    Path("/etc/ssl/ca-bundle.pem"),  # openSUSE
)
_NAMES_OF_BUNDLES = (
    *("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO"),
    *("CARGO_HTTP_CAINFO", "AWS_CA_BUNDLE"),
)
_PIP_KEYS = frozenset(
    (
        *("index-url", "extra-index-url", "no-index", "find-links", "trusted-host", "proxy"),
        *("timeout", "default-timeout", "retries", "prefer-binary", "disable-pip-version-check"),
    )
)
_UV_KEYS = {  # uv's variables, and what they are called in uv.toml
    "UV_INDEX_URL": "index-url",
    "UV_DEFAULT_INDEX": "index-url",
}
_UV_LISTS = {
    "UV_EXTRA_INDEX_URL": "extra-index-url",
    "UV_INDEX": "extra-index-url",
    "UV_INSECURE_HOST": "allow-insecure-host",
}


@dataclass(frozen=True)
class HostSettings:
    """`files` by their paths below MOUNT; `mounts` are directories of the host, at the same path in a RUN."""

    files: Mapping[str, bytes]
    variables: Mapping[str, str]
    mounts: tuple[str, ...] = ()


def host_settings(env: Mapping[str, str], home: Path, etc: Path = Path("/etc")) -> HostSettings:
    """From the environment and the configuration files of pip and uv."""
    files: dict[str, bytes] = {}
    variables = {"XDG_CONFIG_DIRS": f"{MOUNT}/xdg:/etc/xdg"}
    bundle = _bundle(env)
    if bundle is not None:
        files["ca-certificates.crt"] = bundle
        variables |= dict.fromkeys(_NAMES_OF_BUNDLES, _BUNDLE)
    pip = _pip(env, home, etc)
    if pip:
        files["xdg/pip/pip.conf"] = _pip_conf(pip)
    if uv := _uv_toml(env, home, etc):
        files["xdg/uv/uv.toml"] = uv
    mounts = tuple(path for path in pip.get("find-links", "").split() if Path(path).is_dir())
    return HostSettings(files, variables, mounts)


def write_settings(settings: HostSettings, directory: Path) -> Path:
    """Write the files where only this user gets at them; a RUN sees them by a mount, whoever it runs as."""
    root = directory / "host"
    root.mkdir(mode=0o755)
    for name, data in settings.files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        path.write_bytes(data)
        path.chmod(0o644)
    return root


def volumes(settings: HostSettings, root: Path) -> list[str]:
    """What to mount into every RUN, in the words of buildah's --volume."""
    return [f"{root}:{MOUNT}:ro", *(f"{path}:{path}:ro" for path in settings.mounts)]


def _bundle(env: Mapping[str, str]) -> bytes | None:
    named = (Path(env[name]) for name in _NAMES_OF_BUNDLES if env.get(name))
    for path in (*named, *_BUNDLES):
        if path.is_file():
            return path.read_bytes()
    return None


def _pip(env: Mapping[str, str], home: Path, etc: Path) -> dict[str, str]:
    """pip's settings about the network, from its files and then its variables."""
    named = (Path(env["PIP_CONFIG_FILE"]),) if env.get("PIP_CONFIG_FILE") else ()
    files = (etc / "pip.conf", home / ".pip/pip.conf", home / ".config/pip/pip.conf", *named)
    found = dict(pair for path in files if path.is_file() for pair in _read_pip_conf(path))
    for name, value in env.items():
        key = name.removeprefix("PIP_").lower().replace("_", "-")
        if name.startswith("PIP_") and key in _PIP_KEYS and value:
            found[key] = value
    if "find-links" in found:
        found["find-links"] = " ".join(_reachable(found["find-links"].split()))
    return {key: value for key, value in found.items() if value}


def _read_pip_conf(path: Path) -> Iterator[tuple[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(errors="replace"))
    except configparser.Error:
        return  # pip itself says what is wrong with it
    for section in ("global", "install"):
        if parser.has_section(section):
            yield from ((key, value) for key, value in parser.items(section) if key in _PIP_KEYS)


def _reachable(links: Iterable[str]) -> list[str]:
    """Addresses, and directories of this machine that have something in them."""
    return [link for link in links if "://" in link or (Path(link).is_dir() and any(Path(link).iterdir()))]


def _pip_conf(pip: Mapping[str, str]) -> bytes:
    lines = [f"{key} = {' '.join(value.split())}" for key, value in sorted(pip.items())]
    return "\n".join(("[global]", *lines, "")).encode()


def _uv_toml(env: Mapping[str, str], home: Path, etc: Path) -> bytes:
    """uv's own file where there is one, else what its variables say. JSON's strings and lists are TOML's."""
    for path in (home / ".config/uv/uv.toml", etc / "uv/uv.toml"):
        if path.is_file():
            return path.read_bytes()
    single = {key: env[name] for name, key in _UV_KEYS.items() if env.get(name)}
    lists = {key: env[name].split() for name, key in _UV_LISTS.items() if env.get(name)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in sorted({**single, **lists}.items())]
    return "\n".join((*lines, "")).encode() if lines else b""
