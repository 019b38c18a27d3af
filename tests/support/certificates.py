"""A certificate authority of the test run: certificates for 127.0.0.1, good, expired, and of a
stranger.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_NOW = datetime.datetime.now(datetime.UTC)
_DAY = datetime.timedelta(days=1)


class Authority:
    """Writes certificates into a directory."""

    def __init__(self, directory: Path, name: str = "test authority") -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = self._builder(self._name, self._key.public_key(), _NOW - _DAY, _NOW + _DAY)
        builder = builder.add_extension(x509.BasicConstraints(True, None), True).add_extension(
            usage, True
        )
        self.ca = self._write("ca.pem", builder.sign(self._key, hashes.SHA256()))

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        begin: datetime.datetime,
        end: datetime.datetime,
    ) -> x509.CertificateBuilder:
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key)
        )
        builder = (
            builder.serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
        )
        identifier = x509.SubjectKeyIdentifier.from_public_key(key)
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return builder.add_extension(identifier, False).add_extension(authority, False)

    def _write(self, name: str, certificate: x509.Certificate) -> Path:
        path = self._directory / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def issue(
        self, name: str, *, host: str = "127.0.0.1", expired: bool = False
    ) -> tuple[Path, Path]:
        """(Certificate, key) for a server or a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        begin, end = (_NOW - 3 * _DAY, _NOW - 2 * _DAY) if expired else (_NOW - _DAY, _NOW + _DAY)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        try:
            names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(host))]
        except ValueError:
            names = [x509.DNSName(host)]
        builder = self._builder(subject, key.public_key(), begin, end)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        builder = builder.add_extension(x509.BasicConstraints(False, None), True)
        usage = x509.ExtendedKeyUsage(
            [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        )
        certificate = builder.add_extension(usage, False).sign(self._key, hashes.SHA256())
        where = self._directory / f"{name}.key"
        where.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return self._write(f"{name}.pem", certificate), where

    def server(
        self, *, expired: bool = False, clients: bool = False, host: str = "127.0.0.1"
    ) -> ssl.SSLContext:
        """A server's context; with `clients` it wants a certificate of this authority from each
        client.
        """
        name = f"server-{host}" + "-expired" * expired
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(*self.issue(name, host=host, expired=expired))
        if clients:
            made.verify_mode = ssl.CERT_REQUIRED
            made.load_verify_locations(self.ca)
        return made
