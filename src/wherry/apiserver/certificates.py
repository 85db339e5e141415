"""The engine's own authority: a CA, the API's serving certificate, client certificates, the key that signs tokens.

Everything is EC P-256, made on first use, in files of mode 0600. Serving and client certificates are renewed at start
when less than a third of their life is left; the CA lasts.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wherry import files

CA_LIFE, LEAF_LIFE = timedelta(days=3650 * 2), timedelta(days=365)
BACKDATED = timedelta(hours=1)  # clocks differ


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, both as files."""

    certificate: Path
    key: Path


class Authority:
    """A CA in a directory."""

    def __init__(self, directory: Path, now: datetime) -> None:
        self._directory = directory
        self._now = now
        self.ca = directory / "ca.crt"
        if not self.ca.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wherry-ca")])
            usage = x509.KeyUsage(True, False, True, False, False, True, True, False, False)
            certificate = (
                x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
                .not_valid_before(now - BACKDATED)
                .not_valid_after(now + CA_LIFE)
                .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                .add_extension(usage, critical=True)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                .sign(key, hashes.SHA256())
            )
            files.write(directory / "ca.key", _pem(key), sync=True)
            files.write(self.ca, certificate.public_bytes(serialization.Encoding.PEM), sync=True)

    def serving(self, names: list[str]) -> Pair:
        """A certificate for a server that answers to these DNS names and IP addresses."""
        return self._leaf("serving", "kube-apiserver", [], names, ExtendedKeyUsageOID.SERVER_AUTH)

    def client(self, file: str, user: str, groups: list[str]) -> Pair:
        """A certificate that authenticates `user` in `groups`."""
        return self._leaf(file, user, groups, [], ExtendedKeyUsageOID.CLIENT_AUTH)

    def signing_key(self) -> ec.EllipticCurvePrivateKey:
        """The key that signs service account tokens."""
        path = self._directory / "tokens.key"
        if not path.exists():
            files.write(path, _pem(ec.generate_private_key(ec.SECP256R1())), sync=True)
        return _load(path)

    def _leaf(self, file: str, user: str, groups: list[str], names: list[str], usage: x509.ObjectIdentifier) -> Pair:
        pair = Pair(self._directory / f"{file}.crt", self._directory / f"{file}.key")
        if pair.certificate.exists() and pair.key.exists() and self._good(pair.certificate, names):
            return pair
        ca = x509.load_pem_x509_certificate(self.ca.read_bytes())
        ca_key = _load(self._directory / "ca.key")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject.append(x509.NameAttribute(NameOID.COMMON_NAME, user))
        builder = (
            x509.CertificateBuilder(ca.subject, x509.Name(subject), key.public_key(), x509.random_serial_number())
            .not_valid_before(self._now - BACKDATED)
            .not_valid_after(self._now + LEAF_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
        certificate = builder.sign(ca_key, hashes.SHA256())
        files.write(pair.key, _pem(key), sync=True)
        files.write(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM), sync=True)
        return pair

    def _good(self, path: Path, names: list[str]) -> bool:
        """Whether a certificate on disk still has life in it and answers to all `names`."""
        known = x509.load_pem_x509_certificate(path.read_bytes())
        if known.not_valid_after_utc - self._now < LEAF_LIFE / 3:
            return False
        if not names:
            return True
        has = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return set(has) >= {_general(name) for name in names}


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} holds another kind of key than wherry writes: remove it to have a new one made")
    return key
