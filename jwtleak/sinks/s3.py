"""S3 and compatible stores: `s3://bucket/prefix`. Needs the extra `s3`.

Promises: a batch is one object of JSON Lines, gzip-compressed; its name depends only on its alerts,
and it is only ever created (`If-None-Match: *`), so a batch that is sent again makes no second
object. Credentials are found as AWS's tools find them (environment, shared file, instance role).
Refuses credentials of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from isal import igzip
from msgspec import UNSET

from jwtleak.errors import UsageError
from jwtleak.sinks.address import parse
from jwtleak.sinks.http import problem_of
from jwtleak.sinks.interface import (
    BatchLimits,
    Message,
    Problem,
    Report,
    all_accepted,
    failed,
    moment_text,
    needs_extra,
)
from jwtleak.sinks.reason import safe
from jwtleak.sinks.settings import SinkSettings

USES = frozenset({"endpoint", "region", "ca_file", "verify", "proxy", "timeout", "compress"})

TIMEOUT = 20.0
# Codes about the bucket or the credentials, whatever their status is.
_BLOCKED = frozenset(
    {
        *("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"),
        *("NoSuchBucket", "InvalidBucketName", "PermanentRedirect", "InvalidToken"),
        *("AuthorizationHeaderMalformed", "AllAccessDisabled"),
    }
)
_BUSY = frozenset(
    {
        "SlowDown",
        "InternalError",
        "RequestTimeout",
        "ServiceUnavailable",
        "OperationAborted",
        "ConditionalRequestConflict",
    }
)


class S3Sink:
    """One bucket."""

    guarantee = "at least once; a batch that is sent again makes no second object"
    format = "ocsf"
    ascii = False
    max_bytes = None
    only = None
    # Each object costs a request, so a batch waits ten seconds, or for 5,000 alerts.
    limits = BatchLimits(5000, 16 << 20, 10.0)

    def __init__(self, settings: SinkSettings) -> None:
        try:
            import boto3
            import botocore.config
            import botocore.exceptions
        except ImportError:
            raise needs_extra("s3", "boto3") from None
        self._boto3, self._botocore = boto3, botocore
        self._settings = settings
        self._endpoint = _endpoint(settings)
        self._bucket = settings.address.host
        prefix = settings.address.path.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._compress: bool = settings.get("compress", True)
        self._client: Any = None

    def _connected(self) -> Any:
        if self._client is None:
            settings = self._settings
            timeout = settings.get("timeout", TIMEOUT)
            config = self._botocore.config.Config(
                connect_timeout=min(10.0, timeout),
                read_timeout=timeout,
                retries={"max_attempts": 0},  # the outbox decides when to try again
                proxies={"https": settings.proxy, "http": settings.proxy}
                if settings.proxy is not UNSET
                else {},
                # Other servers often have no DNS names for buckets.
                s3={"addressing_style": "path"} if self._endpoint else {},
            )
            verify = settings.get("ca_file", settings.get("verify", True))
            session = self._boto3.session.Session()
            self._client = session.client(
                "s3",
                region_name=settings.get("region", None),
                endpoint_url=self._endpoint,
                verify=verify,
                config=config,
            )
        return self._client

    def send(self, messages: Sequence[Message]) -> Report:
        """Put one object."""
        body = b"".join(message.body + b"\n" for message in messages)
        put: dict[str, Any] = {"ContentType": "application/x-ndjson"}
        if self._compress:
            body = igzip.compress(body, 1)
            put["ContentEncoding"] = "gzip"
        name = self._name(messages)
        try:
            self._connected().put_object(
                Bucket=self._bucket, Key=name, Body=body, IfNoneMatch="*", **put
            )
        except self._botocore.exceptions.ClientError as error:
            return self._answered(len(messages), error.response)
        except self._botocore.exceptions.NoCredentialsError:
            return failed(len(messages), "blocked", "no credentials were found")
        except self._botocore.exceptions.BotoCoreError as error:
            final = type(error).__name__ in (
                "SSLError",
                "ParamValidationError",
                "PartialCredentialsError",
                "NoRegionError",
            )
            return failed(
                len(messages),
                "blocked" if final else "busy",
                f"{type(error).__name__}: {safe(str(error))}",
            )
        return all_accepted(len(messages), f"stored as {name}")

    def _answered(self, count: int, response: dict[str, Any]) -> Report:
        code = str(response.get("Error", {}).get("Code", ""))
        meta = response.get("ResponseMetadata", {})
        status = int(meta.get("HTTPStatusCode", 0))
        # The object exists: an earlier attempt stored it, and its answer was lost.
        if status == 412 or code == "PreconditionFailed":
            return all_accepted(count, "was there already")
        words = (
            f"HTTP {status} {safe(code)}: {safe(str(response.get('Error', {}).get('Message', '')))}"
        )
        problem: Problem = problem_of(status) or "busy"
        if code in _BLOCKED:
            problem = "blocked"
        # 409: another write of the same key is under way.
        elif code in _BUSY or status == 409:
            problem = "busy"
        after = meta.get("HTTPHeaders", {}).get("retry-after", "")
        return failed(count, problem, words, status, float(after) if str(after).isdigit() else None)

    def _name(self, messages: Sequence[Message]) -> str:
        """The object's key: the day of the first alert, and a digest of the ids."""
        ids = "\n".join(message.id for message in messages)
        digest = hashlib.sha256(ids.encode()).hexdigest()[:32]
        day = moment_text(messages[0].alert, "detected")[:10].replace("-", "/")
        return f"{self._prefix}{day}/{digest}.jsonl{'.gz' if self._compress else ''}"

    def idle(self) -> None:
        """Nothing to check."""

    def reopen(self) -> None:
        """Credentials may have been renewed."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None


def _endpoint(settings: SinkSettings) -> str | None:
    endpoint: str | None = settings.get("endpoint", None)
    if endpoint is None:
        return None
    scheme, _, rest = endpoint.partition("://")
    address, _ = parse(f"s3+{scheme}://{rest}")
    if scheme != "https" and not (scheme == "http" and address.loopback):
        raise UsageError(
            f"{settings.title}: `endpoint` must begin with https://, or be on this machine"
        )
    return endpoint


def open_sink(settings: SinkSettings) -> S3Sink:
    """The sink `s3://bucket/prefix`."""
    return S3Sink(settings)
