"""The engine's settings: one documented value, from defaults, a file, the environment and flags, in that order.

Only `engine`, `host`, `deploy` and `cli` read it; every room gets just what it needs as arguments. The flags, the
variables and `docs/CONFIGURATION.md` are made from the fields below: a setting is named `node-ports` in the file,
`WHERRY_NODE_PORTS` in the environment, `--node-ports` on the command line.
"""

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

PREFIX = "WHERRY_"
DEFAULT_FILE = Path("/etc/wherry/config.toml")
LEVELS = ("debug", "info", "warning", "error")
BUILDERS = ("auto", "buildah", "buildx")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_INTERFACE = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,14}")

T = TypeVar("T")


class ConfigError(Exception):
    """A setting that cannot be; the message says where it came from and what would do."""


def setting(default: T, help_text: str, *, key: str = "", alias: str = "") -> T:
    """A field with what CONFIGURATION.md and `--help` say of it; `key` where the field has another name outside."""
    return field(default=default, metadata={"help": help_text, "key": key, "alias": alias})


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of one engine. Several engines on one machine differ in `name`, `state`, port, bridge and networks."""

    name: str = setting("wherry", "Name of the node, its kubeconfig context, cgroup and nftables table.")
    state: Path = setting(Path("/var/lib/wherry"), "Where everything that lasts is kept: objects, keys, images, log.")
    run: Path = setting(Path("/run/wherry"), "Where sockets and process ids are kept.", key="run-dir")
    listen: str = setting("127.0.0.1", "Where the API listens, beside the pods' bridge.")
    port: int = setting(6443, "The API's port.")
    registry_port: int = setting(5050, "The port of the node's image registry on 127.0.0.1; 0 for none.")
    bridge: str = setting("wherry0", "The pods' bridge; 15 characters at most.")
    pods: str = setting("10.85.0.0/16", "The pods' addresses.", key="pod-network", alias="--pods")
    services: str = setting("10.86.0.0/16", "The Services' addresses.", key="service-network", alias="--services")
    node_ports: tuple[int, int] = setting((30000, 32767), "The ports that NodePort Services take.")
    balancer_addresses: str = setting(
        "127.80.0.0/16", "Addresses for LoadBalancer Services whose port is taken on 127.0.0.1."
    )
    expose: str = setting("", "An address of this machine on which LoadBalancer and NodePort Services listen too.")
    cluster_domain: str = setting("cluster.local", "The domain of Services and pods in the cluster's DNS.")
    max_pods: int = setting(250, "How many pods this node takes.")
    builder: str = setting(
        "auto",
        "What builds Dockerfiles: buildah, buildx (docker's BuildKit), or auto: the first of them that is there.",
    )
    oci_runtime: str = setting(
        "auto", "What makes containers: crun, runc, a path, or auto: crun where it is installed and can, else runc."
    )
    log_level: str = setting("info", f"What the engine logs: {', '.join(LEVELS)}.")

    @property
    def containerd(self) -> tuple[Path, Path, Path]:
        """Where its containerd keeps its data, its sockets, and finds how pods are wired."""
        return self.state / "containerd", self.run / "containerd", self.state / "cni"


@dataclass(frozen=True)
class Setting:
    """One field of `Config`, as users meet it."""

    field: str
    key: str
    help: str
    type: Any
    default: Any
    alias: str = ""  # a second flag

    @property
    def flag(self) -> str:
        return f"--{self.key}"

    @property
    def variable(self) -> str:
        return PREFIX + self.key.upper().replace("-", "_")

    def parse(self, value: object) -> Any:
        """The field's value of what a file or a text gives. Raises ValueError that says what would do."""
        if self.type is int:
            return _integer(value)
        if self.type == tuple[int, int]:
            return _ports(value)
        if not isinstance(value, str | Path):
            raise ValueError(f"{value!r} is not a text")
        return Path(value) if self.type is Path else str(value)

    def written(self, value: Any) -> str:
        """`value` as a text that `parse` takes."""
        return f"{value[0]}-{value[1]}" if isinstance(value, tuple) else str(value)


def _settings() -> Iterator[Setting]:
    hints = get_type_hints(Config)
    for each in dataclasses.fields(Config):
        key = each.metadata.get("key") or each.name.replace("_", "-")
        yield Setting(
            each.name,
            key,
            each.metadata.get("help", ""),
            hints[each.name],
            each.default,
            each.metadata.get("alias", ""),
        )


SETTINGS = tuple(_settings())


def load(
    flags: Mapping[str, object], environment: Mapping[str, str], file: Path | None = None, default: Path = DEFAULT_FILE
) -> Config:
    """The settings: defaults, `file` (or WHERRY_CONFIG, or `default` if it is there), the environment, flags.

    `flags` has parsed values by field name, None for those not given. Raises ConfigError.
    """
    named = file or (Path(environment[PREFIX + "CONFIG"]) if environment.get(PREFIX + "CONFIG") else None)
    values, origins = _from_file(named or default, needed=named is not None)
    for each in SETTINGS:
        text = environment.get(each.variable)
        if text is not None and text != "":
            values[each.field], origins[each.field] = _parsed(each, text, each.variable), each.variable
        if flags.get(each.field) is not None:
            values[each.field], origins[each.field] = flags[each.field], each.flag
    config = Config(**values)
    for name, why in problems(config):
        each = next(one for one in SETTINGS if one.field == name)
        raise ConfigError(f"{origins.get(name, each.flag)}: {why}")
    return config


def render(config: Config) -> str:
    """The settings as a file that `load` reads back."""
    lines = [f"# {each.help}\n{each.key} = {_toml(getattr(config, each.field))}\n" for each in SETTINGS]
    return "\n".join(lines)


def problems(config: Config) -> Iterator[tuple[str, str]]:
    """Fields that cannot be as they are, and why; all that can be said without looking at the machine."""
    if not _LABEL.fullmatch(config.name):
        yield "name", f"{config.name!r} is no name: lower-case letters, digits and hyphens, 63 at most"
    if not _INTERFACE.fullmatch(config.bridge):
        yield "bridge", f"{config.bridge!r} is no name of a network interface: 15 letters, digits, - _ . at most"
    if not _DOMAIN.fullmatch(config.cluster_domain):
        yield "cluster_domain", f"{config.cluster_domain!r} is no domain name"
    if not 1 <= config.port <= 65535:
        yield "port", f"{config.port} is no port: 1 to 65535"
    if not 0 <= config.registry_port <= 65535:
        yield "registry_port", f"{config.registry_port} is no port: 1 to 65535, or 0 for no registry there"
    if not 1 <= config.max_pods <= 10000:
        yield "max_pods", f"{config.max_pods} is not from 1 to 10000"
    if config.log_level not in LEVELS:
        yield "log_level", f"{config.log_level!r} is no level: {', '.join(LEVELS)}"
    if config.builder not in BUILDERS:
        yield "builder", f"{config.builder!r} is no builder: {', '.join(BUILDERS)}"
    for name in ("state", "run"):
        if not getattr(config, name).is_absolute():
            yield name, f"{getattr(config, name)} must begin with /"
    if config.state == config.run:
        yield "run", "must be another directory than state: one outlives a restart of the machine, the other does not"
    yield from _address_problems(config)


def _address_problems(config: Config) -> Iterator[tuple[str, str]]:
    for name in ("listen", "expose"):
        text = getattr(config, name)
        if text and not _is_address(text):
            yield name, f"{text!r} is no IPv4 address"
    if not config.listen:
        yield "listen", "must be an address of this machine, as 127.0.0.1"
    networks: dict[str, IPv4Network] = {}
    for name in ("pods", "services", "balancer_addresses"):
        try:
            networks[name] = IPv4Network(getattr(config, name))
        except ValueError as error:
            yield name, f"{error}: a network is written as in 10.85.0.0/16"
    if "balancer_addresses" in networks and not networks["balancer_addresses"].is_loopback:
        yield "balancer_addresses", f"{config.balancer_addresses} is not within 127.0.0.0/8"
    for name in ("pods", "services"):
        if name in networks and not 8 <= networks[name].prefixlen <= 28:
            yield name, f"{networks[name]} must be a /8 to a /28"
    if "pods" in networks and "services" in networks and networks["pods"].overlaps(networks["services"]):
        yield "services", f"{config.services} overlaps with pods {config.pods}"


def _from_file(path: Path, *, needed: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """The values a file sets and where each stands. A missing default file sets none."""
    try:
        text = path.read_text("utf-8")
        given = tomllib.loads(text)
    except FileNotFoundError:
        if needed:
            raise ConfigError(f"{path}: there is no such file") from None
        return {}, {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    known = {each.key: each for each in SETTINGS}
    values, origins = {}, {}
    for key, value in given.items():
        origin = f"{path}:{_line(text, key)}: {key}"
        if key not in known:
            raise ConfigError(f"{origin}: there is no such setting{nearest(key, known)}")
        each = known[key]
        values[each.field], origins[each.field] = _parsed(each, value, origin), origin
    return values, origins


def nearest(word: str, known: Mapping[str, object] | list[str]) -> str:
    """`; did you mean X?`, or nothing."""
    near = difflib.get_close_matches(word, list(known), 1, 0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _line(text: str, key: str) -> int:
    """The line on which a top-level key or table is set; tomllib does not tell."""
    found = re.search(rf"""^[ \t]*\[*[ \t]*["']?{re.escape(key)}["']?[ \t]*[]=.]""", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _parsed(each: Setting, value: object, origin: str) -> Any:
    try:
        return each.parse(value)
    except ValueError as error:
        raise ConfigError(f"{origin}: {error}") from None


def _integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    raise ValueError(f"{value!r} is not a whole number")


def _ports(value: object) -> tuple[int, int]:
    parts = value.split("-") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or len(parts) != 2 or not all(str(part).strip().isdigit() for part in parts):
        raise ValueError(f"{value!r} is not FIRST-LAST, as in 30000-32767")
    first, last = int(parts[0]), int(parts[1])
    if not 1 <= first <= last <= 65535:
        raise ValueError(f"{value!r} is not a range of ports")
    return first, last


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


def _toml(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    text = f"{value[0]}-{value[1]}" if isinstance(value, tuple) else str(value)
    return '"' + "".join(_escaped(sign) for sign in text) + '"'


def _escaped(sign: str) -> str:
    if sign in '"\\':
        return "\\" + sign
    return f"\\u{ord(sign):04x}" if ord(sign) < 32 or ord(sign) == 127 else sign
