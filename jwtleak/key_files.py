"""Keys from outside: JWK sets over https or from files, HMAC secrets from files or the environment.

Promises: opens only files and URLs that the configuration names. https verifies the certificate,
follows no redirect, and is bounded in bytes and in time. Every failure is one error with its
reason, and never shows a key.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from jwtleak.errors import SourceError, UsageError, reason_of

# The largest key sets of public providers are some tens of kilobytes, certificates included.
MAX_BYTES = 512 * 1024
# Key files of one directory.
MAX_FILES = 1024
# Uncompressed: a small compressed answer could become large.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
# An HMAC secret: longer ones are hashed down anyway (RFC 2104 section 3).
_MAX_SECRET = 64 * 1024


class SecretSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[verify.secret]]`: the place of an issuer's HMAC secret. The configuration itself holds
    no secret.
    """

    issuer: str | None = None
    file: str | None = None
    env: str | None = None
    base64: bool = False

    def __post_init__(self) -> None:
        if (self.file is None) == (self.env is None):
            raise ValueError("one of file and env is needed")


def checked_url(url: str) -> str:
    """`url`, if it may be fetched; raises ValueError otherwise."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("is not an https URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("may not carry a user or password")
    return url


def fetch(url: str, *, timeout: float, ca_file: str | None = None) -> bytes:
    """The body of `url`; raises SourceError. `timeout` bounds each step, and the whole body."""
    import ssl

    import httpx

    # httpx bounds each read; a server that sends a byte a second needs a bound of the whole too.
    deadline = time.monotonic() + timeout
    try:
        context = ssl.create_default_context(cafile=ca_file)
        with (
            httpx.Client(verify=context, follow_redirects=False, timeout=timeout) as client,
            client.stream("GET", checked_url(url), headers=_HEADERS) as answer,
        ):
            if answer.status_code != 200:
                raise SourceError(url, f"answered with status {answer.status_code}")
            body = b""
            for part in answer.iter_raw():
                body += part
                # While reading: `Content-Length` may be absent or wrong.
                if len(body) > MAX_BYTES:
                    raise SourceError(url, f"answered with more than {MAX_BYTES // 1024} KiB")
                if time.monotonic() > deadline:
                    raise SourceError(url, f"took longer than {timeout:g} s")
            if answer.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
                raise SourceError(url, "answered compressed, though not asked to")
    except httpx.TimeoutException:
        raise SourceError(url, f"took longer than {timeout:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise SourceError(url, f"cannot be fetched ({type(error).__name__})") from None
    return body


def read_key_files(path: Path) -> list[tuple[str, bytes]]:
    """(Name, bytes) of a JWKS file, or of each `*.json` and `*.jwks` in a directory; raises
    UsageError.
    """
    try:
        if not path.is_dir():
            return [(path.name, _read(path, MAX_BYTES))]
        files = sorted(file for file in path.iterdir() if file.suffix in (".json", ".jwks", ".jwk"))
        if not files:
            raise UsageError(f"{path}: holds no *.json, *.jwk or *.jwks file")
        if len(files) > MAX_FILES:
            raise UsageError(f"{path}: holds more than {MAX_FILES} files")
        return [(file.name, _read(file, MAX_BYTES)) for file in files]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {reason_of(error).lower()}") from None


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(limit + 1)
    # One byte more than the limit was read: a size from `stat` may be old, or 0 for a pipe.
    if len(data) > limit:
        raise UsageError(f"{path}: is larger than {limit // 1024} KiB")
    return data


def read_secret(source: SecretSource) -> bytes:
    """The secret that `source` names; raises UsageError."""
    if source.env is not None:
        text = os.environ.get(source.env)
        if not text:
            raise UsageError(f"environment variable {source.env}: is not set")
        # `os.environ` decodes with surrogateescape: this restores the bytes.
        secret, name = text.encode("utf-8", "surrogateescape"), f"environment variable {source.env}"
    else:
        name = str(source.file)
        try:
            # An editor adds the newline at the end; it is no part of the key.
            secret = _read(Path(name), _MAX_SECRET).removesuffix(b"\n").removesuffix(b"\r")
        except OSError as error:
            raise UsageError(f"{name}: cannot be read: {reason_of(error).lower()}") from None
    if source.base64:
        import base64
        import binascii

        try:
            # Both alphabets, and padding in excess, which the decoder ignores.
            secret = base64.urlsafe_b64decode(
                secret.translate(bytes.maketrans(b"+/", b"-_")) + b"=="
            )
        except binascii.Error:
            raise UsageError(f"{name}: is not base64") from None
    # An empty key would "verify" every token that was signed with an empty key.
    if not secret:
        raise UsageError(f"{name}: holds no secret")
    return secret


def read_words(path: str, limit: int) -> bytes:
    """A word list of at most `limit` bytes; raises UsageError."""
    try:
        return _read(Path(path), limit)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {reason_of(error).lower()}") from None
