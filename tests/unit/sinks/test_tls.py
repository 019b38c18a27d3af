"""TLS contexts of sinks."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from certificates import Authority

from jwtleak.errors import UsageError
from jwtleak.sinks.settings import SinkSettings
from jwtleak.sinks.tls import context, is_final, words


def test_it_is_modern_and_checks(authority: Authority) -> None:
    """TLS 1.2 at least, the chain and the name; only `verify = false` changes that."""
    made = context(SinkSettings(url="stdout", ca_file=str(authority.ca)))
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2
    assert made.verify_mode == ssl.CERT_REQUIRED
    assert made.check_hostname
    lax = context(SinkSettings(url="stdout", verify=False))
    assert (lax.verify_mode, lax.check_hostname) == (ssl.CERT_NONE, False)


def test_files_that_cannot_be_used_are_named(authority: Authority, tmp_path: Path) -> None:
    """At start, with the reason; a key that would ask for a passphrase is refused."""
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    certificate, _ = authority.issue("client-tls")
    for files, says in (
        ({"ca_file": "/does/not/exist"}, "/does/not/exist: no such file or directory"),
        ({"ca_file": str(junk)}, "junk.pem: TLS: no certificate or crl found"),
        ({"cert_file": str(certificate), "key_file": str(junk)}, "junk.pem: "),
    ):
        with pytest.raises(UsageError, match="sink: certificates cannot be used: ") as caught:
            context(SinkSettings(url="stdout", name="sink", **files))
        assert says in str(caught.value)


def test_a_key_with_a_passphrase_is_refused(authority: Authority, tmp_path: Path) -> None:
    """Nobody is there to type it."""
    from cryptography.hazmat.primitives import serialization

    certificate, plain = authority.issue("client-locked")
    key = serialization.load_pem_private_key(plain.read_bytes(), None)
    locked = tmp_path / "locked.key"
    encryption = serialization.BestAvailableEncryption(b"pass")
    locked.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    with pytest.raises(UsageError, match="the key has a passphrase"):
        context(SinkSettings(url="stdout", cert_file=str(certificate), key_file=str(locked)))


def test_what_is_final() -> None:
    """A certificate that one side refuses stays refused; a lost connection does not stay lost."""
    refused = ssl.SSLCertVerificationError(1, "x")
    alert = ssl.SSLError(1, "x")
    alert.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    assert is_final(refused)
    assert is_final(alert)
    wrapped = RuntimeError()
    wrapped.__cause__ = alert
    assert is_final(wrapped)
    assert not is_final(ConnectionRefusedError())
    assert not is_final(None)
    assert words(alert) == "TLS: tlsv13 alert certificate required"
    assert words(ConnectionRefusedError(111, "Connection refused")) == "connection refused"
    assert words(ssl.SSLError(1)) == "TLS: failed"
    assert words(ValueError("plain")) == "plain"
