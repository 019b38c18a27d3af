"""TLS for sinks: a new context for each connection, so that renewed certificates are used.

Promises: TLS 1.2 or newer; the server's name and chain are checked unless the settings say
otherwise, and then there is a warning.
"""

from __future__ import annotations

import ssl

from msgspec import UNSET

from jwtleak.errors import UsageError, reason_of
from jwtleak.sinks.settings import SinkSettings

USES = frozenset({"ca_file", "cert_file", "key_file", "server_name", "verify"})


def context(settings: SinkSettings) -> ssl.SSLContext:
    """The context of a client. Raises UsageError where a file of the settings cannot be used."""
    try:
        made = ssl.create_default_context(cafile=settings.get("ca_file", None))
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.cert_file is not UNSET:
            # OpenSSL would ask for a passphrase on the terminal: refuse the key instead.
            made.load_cert_chain(
                settings.cert_file, settings.get("key_file", None), password=_no_passphrase
            )
    except (OSError, ValueError) as error:  # SSLError is an OSError
        files = [str(settings.get(name, "")) for name in ("ca_file", "cert_file", "key_file")]
        named = ", ".join(name for name in files if name)
        raise UsageError(
            f"{settings.title}: certificates cannot be used: {named}: {words(error)}"
        ) from None
    if settings.get("verify", True) is False:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")


def words(error: BaseException) -> str:
    """The error in words, without the numbers and file names of the library."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {_reason(error) or 'failed'}"
    if isinstance(error, OSError):
        return reason_of(error, type(error).__name__).lower()
    return str(error)


def _reason(error: ssl.SSLError) -> str:
    """`TLSV13_ALERT_CERTIFICATE_REQUIRED` in words; empty for an error without a reason."""
    return (getattr(error, "reason", None) or "").lower().replace("_", " ")


def is_final(error: BaseException | None) -> bool:
    """Whether a retry cannot help: a certificate that either side refuses stays refused until
    somebody acts.
    """
    seen = 0  # the chain of an exception may be a circle
    while error is not None and seen < 8:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        if isinstance(error, ssl.SSLError) and " alert " in _reason(error):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False
