"""The settings of one sink: a `[[sink]]` table of the configuration, or a URL with settings behind
`?`.

Promises: a setting names the place of a credential (`token_env`, `token_file`, `token_credential`).
Refuses a credential itself: other people read configuration files and command lines. The settings
are documented in docs/reference/sinks.md.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from jwtleak.errors import UsageError
from jwtleak.sinks.address import Address, parse
from jwtleak.types import WhenFull

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]

_INLINE = ("token", "password", "secret", "api_key", "apikey", "key", "credential", "credentials")


class SinkSettings(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One sink. Unset settings are UNSET: each sink has its own defaults."""

    # the address, and the name in messages, metrics and the state
    url: str | UnsetType = UNSET
    url_env: str | UnsetType = UNSET
    url_file: str | UnsetType = UNSET
    name: (
        Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\w.@:/+-]+$")] | UnsetType
    ) = UNSET
    # which alerts, in which form
    when: str | UnsetType = UNSET
    format: str | UnsetType = UNSET
    timestamp: Literal["event", "detected"] | UnsetType = UNSET
    max_bytes: Annotated[int, Meta(ge=480)] | UnsetType = UNSET
    # alerts a second, messages and bytes at once, seconds to wait for more
    rate: Positive | UnsetType = UNSET
    batch: Count | UnsetType = UNSET
    batch_bytes: Count | UnsetType = UNSET
    linger: Annotated[float, Meta(ge=0, le=3600)] | UnsetType = UNSET
    # bytes that may wait: at least some tens of alerts
    queue: Annotated[int, Meta(ge=1 << 16)] | UnsetType = UNSET
    when_full: WhenFull | UnsetType = UNSET
    # credentials and transport
    user: str | UnsetType = UNSET
    token_env: str | UnsetType = UNSET
    token_file: str | UnsetType = UNSET
    token_credential: str | UnsetType = UNSET
    ca_file: str | UnsetType = UNSET
    cert_file: str | UnsetType = UNSET
    key_file: str | UnsetType = UNSET
    server_name: str | UnsetType = UNSET
    verify: bool | UnsetType = UNSET
    proxy: str | UnsetType = UNSET
    timeout: Annotated[float, Meta(gt=0, le=600)] | UnsetType = UNSET
    compress: bool | UnsetType = UNSET
    # syslog
    rfc: Literal[5424, 3164] | UnsetType = UNSET
    facility: Annotated[int, Meta(ge=0, le=23)] | UnsetType = UNSET
    sd_id: Annotated[str, Meta(pattern=r"^[!#-<>-\\^-~]{1,32}$")] | UnsetType = UNSET
    app_name: Annotated[str, Meta(pattern=r"^[!-~]{1,48}$")] | UnsetType = UNSET
    resend: bool | UnsetType = UNSET
    # Splunk, Elasticsearch
    index: str | UnsetType = UNSET
    sourcetype: str | UnsetType = UNSET
    ack: bool | UnsetType = UNSET
    auth: Literal["apikey", "basic", "bearer"] | UnsetType = UNSET
    pipeline: str | UnsetType = UNSET
    # webhook
    template: Literal["slack", "teams"] | UnsetType = UNSET
    # S3
    endpoint: str | UnsetType = UNSET
    region: str | UnsetType = UNSET
    # Kafka
    sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | UnsetType = UNSET

    def __post_init__(self) -> None:
        urls = [name for name in ("url", "url_env", "url_file") if getattr(self, name) is not UNSET]
        if len(urls) != 1:
            raise ValueError("a sink needs one of `url`, `url_env`, `url_file`")
        places = [
            name
            for name in ("token_env", "token_file", "token_credential")
            if getattr(self, name) is not UNSET
        ]
        # Two places could hold two credentials, of which the wrong one would be used unnoticed.
        if len(places) > 1:
            raise ValueError(f"only one of {', '.join(places)}")
        if (self.cert_file is UNSET) and (self.key_file is not UNSET):
            raise ValueError("`key_file` without `cert_file`")
        if self.queue is UNSET and self.when_full is not UNSET:
            raise ValueError("`when_full` without `queue`")
        if self.proxy is not UNSET and "@" in self.proxy:
            raise ValueError("`proxy` must not hold credentials")

    @property
    def address(self) -> Address:
        """The address. A URL that is kept elsewhere is a webhook's, and its sink reads it."""
        if self.url is UNSET:
            return Address("webhook+https")
        return parse(self.url)[0]

    @property
    def title(self) -> str:
        """The name for people, metrics and the state."""
        if self.name is not UNSET:
            return self.name
        if self.url is not UNSET:
            return str(self.address)
        return f"${self.url_env}" if self.url_env is not UNSET else str(self.url_file)

    def configured(self) -> frozenset[str]:
        """The names of the settings that are set."""
        return frozenset(
            name for name in self.__struct_fields__ if getattr(self, name) is not UNSET
        )

    def get(self, name: str, default: Any) -> Any:
        """The setting, or `default` where it is unset."""
        value = getattr(self, name)
        return default if value is UNSET else value


def from_url(text: str) -> SinkSettings:
    """The settings of `--sink URL`. Raises UsageError."""
    address, settings = parse(text)
    return from_table({"url": text.partition("?")[0], **settings}, str(address), strict=False)


def from_table(table: dict[str, Any], where: str, *, strict: bool = True) -> SinkSettings:
    """The settings of a `[[sink]]` table; `where` names the table in errors. No error repeats a
    value, which may be a credential.
    """
    # First: msgspec would call it an unknown field, and somebody would look for the right name.
    refuse_inline(table, where)
    try:
        settings = msgspec.convert(table, SinkSettings, strict=strict)
    except msgspec.ValidationError as error:
        # msgspec's text names the place as `$.name`; it repeats no value.
        text, _, place = str(error).partition(" - at `$.")
        name = place.rstrip("`")
        raise UsageError(
            f"{where}: {name + ': ' if name else ''}{text[:1].lower()}{text[1:]}"
        ) from None
    return checked(settings)


def refuse_inline(table: dict[str, Any], where: str) -> None:
    """Raises UsageError for a credential in the table itself."""
    for name in _INLINE:
        if name in table:
            raise UsageError(
                f"{where}: {name}: a credential is not written here: "
                "name the place where it is kept with token_env, token_file or token_credential"
            )


def checked(settings: SinkSettings) -> SinkSettings:
    """`settings`, with a valid URL. Raises UsageError."""
    if settings.url is not UNSET and parse(settings.url)[1]:
        raise UsageError(f"{settings.title}: settings stand beside `url` here, not behind its ?")
    return settings


def token_needed(settings: SinkSettings, what: str) -> None:
    """Raises UsageError where no credential is named."""
    if (
        settings.token_env is UNSET
        and settings.token_file is UNSET
        and settings.token_credential is UNSET
    ):
        raise UsageError(
            f"{settings.title}: needs {what}: "
            "name its place with token_env, token_file or token_credential"
        )
