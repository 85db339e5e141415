"""What of this machine's network settings a RUN needs: certificate authorities, package indexes, proxies.

They reach a RUN by a read-only mount and by variables of that RUN alone: no layer, no config and no history has them.
The image's own ENV wins over them.
"""

import configparser
import json
import os
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
    "index-url extra-index-url trusted-host no-index find-links timeout retries proxy prefer-binary default-timeout "
    "disable-pip-version-check".split()  # noqa: SIM905  a list would be nine lines
)
_PASSED = (
    *("GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "NPM_CONFIG_REGISTRY", "npm_config_registry"),
    *("CARGO_HTTP_PROXY", "PIP_DISABLE_PIP_VERSION_CHECK"),
)
_NOT_OF_UV = frozenset(  # uv's variables that speak of this machine's directories and interpreters
    "UV_CACHE_DIR UV_PYTHON UV_PYTHON_INSTALL_DIR UV_PYTHON_BIN_DIR UV_TOOL_DIR UV_TOOL_BIN_DIR UV_PROJECT "
    "UV_PROJECT_ENVIRONMENT UV_CONFIG_FILE UV_ENV_FILE UV_WORKING_DIRECTORY UV_SYSTEM_PYTHON UV".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class HostSettings:
    """`files` are to be at their paths below MOUNT, `mounts` are directories of the host at the same path."""

    files: Mapping[str, bytes]
    variables: Mapping[str, str]
    mounts: tuple[str, ...] = ()


def host_settings(env: Mapping[str, str], home: Path, etc: Path = Path("/etc")) -> HostSettings:
    """From the environment and the configuration files of pip and uv."""
    files: dict[str, bytes] = {}
    variables = {"XDG_CONFIG_DIRS": f"{MOUNT}/xdg:/etc/xdg"}
    variables |= {name: env[name] for name in _PASSED if name in env}
    bundle = _bundle(env)
    if bundle is not None:
        files["ca-certificates.crt"] = bundle
        variables |= dict.fromkeys(_NAMES_OF_BUNDLES, _BUNDLE)
    variables |= {
        name: value for name, value in env.items() if name.startswith("UV_") and name not in _NOT_OF_UV and value
    }
    pip = _pip(env, home, etc)
    mounts = tuple(path for path in pip.get("find-links", "").split() if Path(path).is_dir())
    if pip:
        files["xdg/pip/pip.conf"] = _pip_conf(pip)
    for path in (home / ".config/uv/uv.toml", etc / "uv/uv.toml"):
        if path.is_file():
            files["xdg/uv/uv.toml"] = path.read_bytes()
            break
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


def containers_conf(settings: HostSettings, root: Path) -> str:
    """buildah's configuration: variables and mounts of every RUN. JSON's strings are TOML's."""
    variables = [f"{name}={value}" for name, value in sorted(settings.variables.items())]
    volumes = [f"{root}:{MOUNT}:ro", *(f"{path}:{path}:ro" for path in settings.mounts)]
    return f"[containers]\nenv = {json.dumps(variables)}\nvolumes = {json.dumps(volumes)}\n"


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
    return [link for link in links if "://" in link or (Path(link).is_dir() and any(os.scandir(link)))]


def _pip_conf(pip: Mapping[str, str]) -> bytes:
    lines = [f"{key} = {' '.join(value.split())}" for key, value in sorted(pip.items())]
    return "\n".join(("[global]", *lines, "")).encode()
