"""Certificates of every kind for tests: authorities, chains, expired and revoked ones, and lists of those."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from cassandane.instance import give_away

_DAY = timedelta(days=1)
_PEM = serialization.Encoding.PEM

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Certificate:
    """Its files: the certificate with the chain that leads to its authority, and the key."""

    path: Path
    key_path: Path
    certificate: x509.Certificate
    key: Key

    def server_options(self) -> dict[str, str]:
        return {"tls_server_cert": str(self.path), "tls_server_key": str(self.key_path)}


@dataclass
class Authority:
    """Signs certificates, which it puts into ``directory``; one with a ``parent`` is an intermediate one."""

    directory: Path
    name: str = "Test Authority"
    parent: Authority | None = None
    key: Key = field(default_factory=lambda: make_key("ec"))
    certificate: x509.Certificate = field(init=False)
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        self.certificate = _sign(
            self.name, self.key, self.parent.certificate.subject if self.parent else _name(self.name),
            self.parent.key if self.parent else self.key, is_authority=True,
        )
        self.path = self.directory / f"{self.name.replace(' ', '-')}.pem"
        self.path.write_bytes(self.certificate.public_bytes(_PEM))
        give_away(self.path)

    def chain(self) -> bytes:
        """The certificates of all authorities below the root."""
        if self.parent is None:
            return b""
        return self.certificate.public_bytes(_PEM) + self.parent.chain()

    def issue(
        self,
        name: str,
        *,
        kind: str = "ec",
        hosts: Sequence[str] = (),
        days: tuple[int, int] = (-1, 300),
        file: str | None = None,
    ) -> Certificate:
        """Certify ``name``, valid from the first to the second of ``days`` from today."""
        key = make_key(kind)
        certificate = _sign(name, key, self.certificate.subject, self.key, hosts=hosts, days=days)
        stem = self.directory / (file or f"{name.replace(' ', '-')}-{kind}")
        path, key_path = stem.with_suffix(".pem"), stem.with_suffix(".key")
        write(path, certificate.public_bytes(_PEM) + self.chain())
        write(key_path, private_bytes(key))
        return Certificate(path, key_path, certificate, key)

    def revoke(self, *certificates: Certificate, days: tuple[int, int] = (-1, 300)) -> Path:
        """A list of these as revoked."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now + days[0] * _DAY)
            .next_update(now + days[1] * _DAY)
        )
        for one in certificates:
            entry = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now - _DAY).build())
        path = self.directory / f"{self.name.replace(' ', '-')}-crl.pem"
        write(path, builder.sign(self.key, hashes.SHA256()).public_bytes(_PEM))
        return path


def make_key(kind: str) -> Key:
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def private_bytes(key: Key, passphrase: str | None = None) -> bytes:
    how: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        how = serialization.BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, how)


def write(path: Path, data: bytes) -> Path:
    """A file that the servers' user can read."""
    path.write_bytes(data)
    give_away(path)
    return path


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _sign(
    name: str,
    key: Key,
    issuer: x509.Name,
    issuer_key: Key,
    *,
    hosts: Sequence[str] = (),
    days: tuple[int, int] = (-1, 3650),
    is_authority: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + days[0] * _DAY)
        .not_valid_after(now + days[1] * _DAY)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    if hosts:
        names = [x509.DNSName(host) for host in hosts]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
