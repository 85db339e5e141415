"""What a client shows of itself: headers and a TLS context, from a kubeconfig's user, token file or exec plugin."""

import base64
import os
import shutil
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from wherry.client.kubeconfig import Access, Cluster, ExecPlugin, KubeconfigError
from wherry.objects import Obj
from wherry.objects.times import parse
from wherry.process import ProgramError, run

PLUGIN_SECONDS = 60.0
EARLY = timedelta(seconds=10)  # a credential is renewed this long before its end


@dataclass(frozen=True)
class Shown:
    """What goes with a request. `context` is None for plain HTTP."""

    headers: tuple[tuple[str, str], ...]
    context: ssl.SSLContext | None
    until: datetime | None = None


class Credentials:
    """Gives what a request shows, and renews what a plugin gave when it runs out or is refused."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._shown: Shown | None = None

    async def shown(self) -> Shown:
        """Raises KubeconfigError where a file, certificate or plugin cannot be used."""
        known = self._shown
        if known is None or (known.until is not None and datetime.now(UTC) > known.until - EARLY):
            known = self._shown = await self._obtain()
        if self._access.user.token_file:
            return Shown((*known.headers, ("Authorization", f"Bearer {self._token()}")), known.context)
        return known

    @property
    def renewable(self) -> bool:
        return self._access.user.plugin is not None

    def renew(self) -> None:
        """What was shown has been refused: ask for it anew next time."""
        self._shown = None

    def _token(self) -> str:
        try:
            return Path(self._access.user.token_file).read_text().strip()
        except OSError as error:
            raise KubeconfigError(f"{self._access.user.token_file} cannot be read: {error.strerror}") from None

    async def _obtain(self) -> Shown:
        user, cluster = self._access.user, self._access.cluster
        headers = user.headers
        certificate, key, token, until = user.certificate, user.key, user.token, None
        if user.plugin is not None and not (token or certificate or user.token_file or user.username):
            status = await _asked(user.plugin, cluster)
            token = str(status.get("token") or "")
            certificate = str(status.get("clientCertificateData") or "").encode()
            key = str(status.get("clientKeyData") or "").encode()
            until = parse(status["expirationTimestamp"]) if status.get("expirationTimestamp") else None
        if token:
            headers += (("Authorization", f"Bearer {token}"),)
        elif user.username:
            pair = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
            headers += (("Authorization", f"Basic {pair}"),)
        return Shown(headers, tls_context(cluster, certificate, key), until)


def tls_context(cluster: Cluster, certificate: bytes, key: bytes) -> ssl.SSLContext | None:
    """Raises KubeconfigError for certificates and keys that cannot be read."""
    if cluster.server.startswith("http://"):
        return None
    try:
        context = ssl.create_default_context(cadata=cluster.ca.decode("ascii") if cluster.ca else None)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # clusters' own authorities often lack the extensions it wants
        if cluster.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate:
            _load_chain(context, certificate, key)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise KubeconfigError(f"the certificates for {cluster.server} cannot be used: {error}") from None
    return context


def _load_chain(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """OpenSSL reads certificates of files only: they are there, for nobody else, as long as that takes."""
    with tempfile.TemporaryDirectory(prefix="wherry-") as directory:
        pair = Path(directory, "certificate"), Path(directory, "key")
        for path, data in zip(pair, (certificate, key), strict=True):
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(data)
        context.load_cert_chain(*pair)


async def _asked(plugin: ExecPlugin, cluster: Cluster) -> Obj:
    """The `status` of what an exec plugin prints."""
    if shutil.which(plugin.command) is None:
        hint = f": {plugin.install_hint}" if plugin.install_hint else ""
        raise KubeconfigError(f"the exec plugin {plugin.command} is not on this machine{hint}")
    spec: Obj = {"interactive": False}
    if plugin.provide_cluster_info:
        spec["cluster"] = {"server": cluster.server, "insecure-skip-tls-verify": cluster.insecure}
        if cluster.ca:
            spec["cluster"]["certificate-authority-data"] = base64.b64encode(cluster.ca).decode()
    asked = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    env = {**os.environ, **plugin.env, "KUBERNETES_EXEC_INFO": orjson.dumps(asked).decode()}
    try:
        done = await run(plugin.command, *plugin.args, env=env, timeout=PLUGIN_SECONDS)
        printed = orjson.loads(done.stdout)
    except ProgramError as error:
        raise KubeconfigError(f"the exec plugin failed: {error}") from None
    except orjson.JSONDecodeError:
        raise KubeconfigError(f"the exec plugin {plugin.command} printed no ExecCredential") from None
    status = printed.get("status") if isinstance(printed, dict) else None
    if not isinstance(status, dict) or not (status.get("token") or status.get("clientCertificateData")):
        raise KubeconfigError(f"the exec plugin {plugin.command} gave no token and no certificate")
    return status
