"""Apache Kafka: `kafka://broker:9092,broker:9092/topic`. Needs the extra `kafka`.

Promises: idempotent producer, `acks=all`; the key is the token's fingerprint, so all alerts of one
token are in order in one partition; the header `event-id` is the alert's id. A message counts as
accepted when all in-sync replicas have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from jwtleak.errors import UsageError
from jwtleak.sinks import tls
from jwtleak.sinks.credential import credential, refuse_in_the_clear
from jwtleak.sinks.interface import (
    ACCEPTED,
    AGAIN,
    BatchLimits,
    Message,
    Outcome,
    Problem,
    Report,
    needs_extra,
)
from jwtleak.sinks.reason import safe
from jwtleak.sinks.settings import SinkSettings

USES = tls.USES | {
    "user",
    "token_env",
    "token_file",
    "token_credential",
    "sasl",
    "timeout",
    "compress",
}

# Seconds. The election of a partition's leader takes some.
TIMEOUT = 30.0
# Names of librdkafka's errors. Only the operator can put these right:
_BLOCKED = frozenset(
    {
        *("_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "_SSL"),
        *("TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"),
        *("_UNKNOWN_TOPIC", "UNKNOWN_TOPIC_OR_PART", "TOPIC_EXCEPTION", "_UNKNOWN_PARTITION"),
    }
)
# No retry helps against these:
_REFUSED = frozenset(
    {
        "MSG_SIZE_TOO_LARGE",
        "RECORD_LIST_TOO_LARGE",
        "INVALID_MSG",
        "INVALID_RECORD",
        "POLICY_VIOLATION",
    }
)


class KafkaSink:
    """One topic."""

    guarantee = "at least once; without duplicates from the producer's own retries"
    format = "ecs"
    ascii = False
    max_bytes = None
    only = None
    limits = BatchLimits(1000, 1_000_000)

    def __init__(self, settings: SinkSettings, extra: dict[str, Any] | None = None) -> None:
        try:
            import confluent_kafka
        except ImportError:
            raise needs_extra("kafka", "confluent-kafka") from None
        self._kafka: Any = confluent_kafka
        self._settings = settings
        self._extra = extra or {}
        self._topic = settings.address.path.strip("/")
        if not self._topic or "/" in self._topic:
            raise UsageError(
                f"{settings.title}: the URL names no topic, as in kafka://broker:9092/topic"
            )
        self._timeout = float(settings.get("timeout", TIMEOUT))
        self._credential = credential(settings)
        refuse_in_the_clear(settings, secret=self._credential is not None)
        if (self._credential is None) != (settings.user is UNSET):
            raise UsageError(f"{settings.title}: `user` and a credential go together")
        if settings.address.secure:
            tls.context(settings)  # for its errors: they belong to the start
        self._producer: Any = None
        self._trouble: tuple[Problem, str] | None = None

    def _configuration(self) -> dict[str, Any]:
        address, settings = self._settings.address, self._settings
        made: dict[str, Any] = {
            "bootstrap.servers": address.netloc,
            "client.id": "jwtleak",
            # No alert is lost with one broker, and librdkafka's own retries double none.
            "acks": "all",
            "enable.idempotence": True,
            # librdkafka gives up before `flush` does: each message has an answer then.
            "delivery.timeout.ms": int(self._timeout * 1000),
            "linger.ms": 5,
            "compression.type": "lz4" if settings.get("compress", True) else "none",
            "message.max.bytes": 1_000_000,
            "log_level": 0,
            "error_cb": self._error,
            # librdkafka would write to standard error, past everything that cleans our lines.
            "logger": _silent(),
        }
        if address.secure:
            made |= {"ssl.ca.location": settings.get("ca_file", "probe")}
            if settings.cert_file is not UNSET:
                made |= {"ssl.certificate.location": settings.cert_file}
                made |= {"ssl.key.location": settings.get("key_file", settings.cert_file)}
            if not settings.get("verify", True):
                made |= {"enable.ssl.certificate.verification": False}
        if self._credential is not None:
            made |= {
                "sasl.mechanism": settings.get("sasl", "SCRAM-SHA-512"),
                "sasl.username": settings.user,
            }
            made |= {"sasl.password": self._credential.value().reveal().decode("ascii")}
        protocol = ("SASL_" if self._credential else "") + (
            "SSL" if address.secure else "PLAINTEXT"
        )
        return {**made, "security.protocol": protocol, **self._extra}

    def send(self, messages: Sequence[Message]) -> Report:
        """Produce all messages and wait for the answer to each."""
        outcomes: list[Outcome] = [AGAIN] * len(messages)
        self._trouble = None
        try:
            if self._producer is None:
                self._producer = self._kafka.Producer(self._configuration())
            for index, message in enumerate(messages):
                self._produce(index, message, outcomes)
            unanswered = self._producer.flush(self._timeout + 1)
        except (self._kafka.KafkaException, ValueError) as error:
            # The constructor checks the configuration, and reads the certificates.
            self.close()
            return Report(
                tuple(outcomes), "blocked", f"configuration refused: {self._words(error)}"
            )
        if unanswered:
            # librdkafka would go on sending its queue while the outbox sends the same alerts again.
            self.close()
        if AGAIN in outcomes:
            trouble: tuple[Problem, str] = self._trouble or ("busy", "no answer in time")
            return Report(tuple(outcomes), *trouble)
        return Report(tuple(outcomes), reason="all in-sync replicas have it")

    def _produce(self, index: int, message: Message, outcomes: list[Outcome]) -> None:
        def answered(error: Any, _: Any) -> None:
            outcomes[index] = ACCEPTED if error is None else self._judged(error)

        headers = [("event-id", message.id.encode()), ("severity", message.severity.encode())]
        key = message.fingerprint.encode()
        try:
            self._producer.produce(
                self._topic, message.body, key, headers=headers, on_delivery=answered
            )
        except BufferError:  # librdkafka's queue is full: wait for its answers first
            self._producer.flush(self._timeout)
            self._producer.produce(
                self._topic, message.body, key, headers=headers, on_delivery=answered
            )
        except self._kafka.KafkaException as error:
            outcomes[index] = self._judged(error.args[0])

    def _judged(self, error: Any) -> Outcome:
        words = self._words(error)
        if error.name() in _REFUSED:
            return Outcome("refused", words, error.code())
        # One trouble is reported for the batch: the first, or one that needs the operator.
        if self._trouble is None or error.name() in _BLOCKED:
            self._trouble = ("blocked" if error.name() in _BLOCKED else "busy", words)
        return AGAIN

    def _error(self, error: Any) -> None:
        if error.name() in _BLOCKED:
            self._trouble = ("blocked", self._words(error))
        elif self._trouble is None:
            self._trouble = ("busy", self._words(error))

    def _words(self, error: Any) -> str:
        return safe(
            str(error.str() if hasattr(error, "str") else error),
            *(self._credential.known() if self._credential else ()),
        )

    def idle(self) -> None:
        """Let the producer serve its callbacks."""
        if self._producer is not None:
            self._producer.poll(0)

    def reopen(self) -> None:
        """Certificates or the credential may have been renewed."""
        self.close()
        if self._credential is not None:
            self._credential.forget()

    def close(self) -> None:
        """Drop the producer and its queue: the outbox still has those alerts."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(1.0)
            self._producer = None


def _silent() -> Any:
    import logging

    logger = logging.getLogger("jwtleak.kafka")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger


def open_sink(settings: SinkSettings) -> KafkaSink:
    """The sink `kafka://brokers/topic`."""
    return KafkaSink(settings)
