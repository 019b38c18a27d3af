"""The credential of a sink: read from its place when it is needed.

Promises: the credential is a `Secret` from the first byte on; it is read again after a refusal, so
that a renewed one is used without a restart. An error names the place, never the value.
"""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import UNSET

from jwtleak.errors import UsageError, reason_of
from jwtleak.secret import Secret
from jwtleak.sinks.settings import SinkSettings

# Bytes. Servers accept no longer header.
_MAX = 16 * 1024


class Credential:
    """The place of a credential. `value()` reads it once; after `forget()` the next call reads it
    again.
    """

    def __init__(self, where: str, name: str) -> None:
        self._where = where  # env, file or credential
        self._name = name
        self._value: Secret | None = None

    def __repr__(self) -> str:
        return f"Credential({self._where}: {self._name})"

    def value(self) -> Secret:
        """The credential. Raises UsageError where there is none."""
        if self._value is None:
            self._value = self._read()
        return self._value

    def known(self) -> tuple[Secret, ...]:
        """The credential, where it was read: for removing it from texts."""
        return () if self._value is None else (self._value,)

    def forget(self) -> None:
        """Read it again at the next call: it was refused, or may have been renewed."""
        self._value = None

    def _read(self) -> Secret:
        data = self._environment() if self._where == "env" else self._file()
        # Editors end a file with a newline. Inside a header it would begin another header.
        data = data.strip()
        if not data or len(data) > _MAX or any(byte < 32 or byte > 126 for byte in data):
            raise UsageError(
                f"{self._place()}: holds no credential: it must be one line of printable ASCII"
            )
        return Secret(data)

    def _place(self) -> str:
        return f"environment variable {self._name}" if self._where == "env" else self._name

    def _environment(self) -> bytes:
        value = os.environb.get(self._name.encode())
        if value is None:
            raise UsageError(f"{self._place()}: is not set")
        return value

    def _file(self) -> bytes:
        try:
            path = self._path()
            with open(path, "rb") as file:
                return file.read(_MAX + 2)  # more than allowed is seen, a device not read for ever
        except OSError as error:
            raise UsageError(
                f"{self._place()}: cannot be read: {reason_of(error).lower()}"
            ) from None

    def _path(self) -> Path:
        if self._where == "file":
            return Path(self._name)
        # systemd puts the files of LoadCredential= below this directory (systemd.exec(5)).
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        if not directory or "/" in self._name or self._name.startswith("."):
            raise UsageError(
                f"credential {self._name}: there is no such systemd credential (LoadCredential=)"
            )
        return Path(directory, self._name)


def credential(settings: SinkSettings) -> Credential | None:
    """The credential that the settings name, or None."""
    for where in ("env", "file", "credential"):
        name = getattr(settings, f"token_{where}")
        if name is not UNSET:
            return Credential(where, name)
    return None


def url_kept_elsewhere(settings: SinkSettings) -> Credential | None:
    """The URL of the sink where the URL itself is a credential, or None."""
    if settings.url_env is not UNSET:
        return Credential("env", settings.url_env)
    return None if settings.url_file is UNSET else Credential("file", settings.url_file)


def refuse_in_the_clear(settings: SinkSettings, *, secret: bool) -> None:
    """Raises UsageError where a credential would cross a network unencrypted."""
    address = settings.address
    if secret and not address.secure and not address.loopback:
        raise UsageError(
            f"{settings.title}: credentials are sent only over TLS, or to this machine"
        )
