"""A pod's resolv.conf as the runtime is told it: by dnsPolicy and dnsConfig. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from wherry.node.settings import NodeSettings
from wherry.objects import Obj

MOST_SERVERS, MOST_SEARCHES = 3, 32


@dataclass(frozen=True)
class Resolver:
    servers: Sequence[str] = ()
    searches: Sequence[str] = ()
    options: Sequence[str] = ()


def parse_resolv_conf(text: str) -> Resolver:
    """What the host resolves with; a loopback resolver of the host cannot be reached from a pod."""
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if len(words) < 2:
            continue
        if words[0] == "nameserver":
            servers.append(words[1])
        elif words[0] == "search":
            searches = words[1:]
        elif words[0] == "options":
            options = words[1:]
    return Resolver(servers, searches, options)


def pod_resolver(pod: Obj, settings: NodeSettings, host: Resolver) -> Resolver:
    spec, namespace = pod["spec"], pod["metadata"]["namespace"]
    policy = spec.get("dnsPolicy", "ClusterFirst")
    if policy == "ClusterFirst" and spec.get("hostNetwork"):
        policy = "Default"
    if policy == "None":
        base = Resolver()
    elif policy == "Default" or not settings.cluster_dns:
        base = host
    else:
        domain = settings.cluster_domain
        own = [f"{namespace}.svc.{domain}", f"svc.{domain}", domain]
        base = Resolver([settings.cluster_dns], [*own, *host.searches], ["ndots:5"])
    return _with_config(base, spec.get("dnsConfig") or {})


def _with_config(base: Resolver, config: Obj) -> Resolver:
    options = dict(option.partition(":")[::2] for option in base.options)
    for option in config.get("options") or ():
        options[option["name"]] = option.get("value") or ""
    return Resolver(
        _unique([*base.servers, *(config.get("nameservers") or ())])[:MOST_SERVERS],
        _unique([*base.searches, *(config.get("searches") or ())])[:MOST_SEARCHES],
        [f"{name}:{value}" if value else name for name, value in options.items()],
    )


def _unique(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(values))


def hostname(pod: Obj) -> str:
    """At most 63 characters, and then no dash or dot at the end."""
    spec = pod["spec"]
    name = str(spec.get("hostnameOverride") or spec.get("hostname") or pod["metadata"]["name"])
    return name if len(name) <= 63 else name[:63].rstrip("-.")


def host_domain(pod: Obj, settings: NodeSettings) -> str:
    subdomain = pod["spec"].get("subdomain")
    if not subdomain or pod["spec"].get("hostnameOverride"):
        return ""
    return f"{subdomain}.{pod['metadata']['namespace']}.svc.{settings.cluster_domain}"


def hosts_file(pod: Obj, settings: NodeSettings, pod_ip: str, host_file: str) -> str:
    """The text of the pod's /etc/hosts; a hostNetwork pod has the host's own."""
    aliases = "".join(
        f"{alias['ip']}\t{chr(9).join(alias.get('hostnames') or ())}\n"
        for alias in pod["spec"].get("hostAliases") or ()
    )
    if aliases:
        aliases = f"\n# Entries added by HostAliases.\n{aliases}"
    if pod["spec"].get("hostNetwork"):
        return f"# Kubernetes-managed hosts file (host network).\n{host_file}{aliases}"
    name, domain = hostname(pod), host_domain(pod, settings)
    names = f"{name}.{domain}\t{name}" if domain else name
    return (
        "# Kubernetes-managed hosts file.\n"
        "127.0.0.1\tlocalhost\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n"
        "fe00::0\tip6-localnet\n"
        "fe00::0\tip6-mcastprefix\n"
        "fe00::1\tip6-allnodes\n"
        "fe00::2\tip6-allrouters\n"
        f"{pod_ip}\t{names}\n"
        f"{aliases}"
    )
