"""NATS JetStream: `nats://host:4222/subject`. Needs the extra `nats`.

Promises: a message counts as accepted when a stream has stored it; `Nats-Msg-Id` is the alert's id,
so within the stream's duplicate window it is stored once, however often it is sent.
"""

from __future__ import annotations

import asyncio
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

USES = tls.USES | {"user", "token_env", "token_file", "token_credential", "timeout"}

_PORT = 4222
TIMEOUT = 10.0


class NatsSink:
    """One subject. The library is asynchronous: its loop runs while a batch is sent."""

    guarantee = "at least once; once within the stream's duplicate window"
    format = "ecs"
    ascii = False
    max_bytes = None
    only = None
    # All messages of a batch are published at once. The server's default limit of one is 1 MiB.
    limits = BatchLimits(256, 1_000_000)

    def __init__(self, settings: SinkSettings) -> None:
        try:
            import nats
            from nats.js import errors
        except ImportError:
            raise needs_extra("nats", "nats-py") from None
        self._nats: Any = nats
        self._errors: Any = errors
        self._settings = settings
        self._subject = settings.address.path.strip("/")
        if not self._subject or any(sign in self._subject for sign in "/*> "):
            raise UsageError(
                f"{settings.title}: the URL names no subject, as in nats://host:4222/alerts.jwtleak"
            )
        self._timeout = float(settings.get("timeout", TIMEOUT))
        self._credential = credential(settings)
        refuse_in_the_clear(settings, secret=self._credential is not None)
        if self._credential is None and settings.user is not UNSET:
            raise UsageError(f"{settings.title}: `user` needs a credential")
        if settings.address.secure:
            tls.context(settings)  # for its errors: they belong to the start
        self._runner: asyncio.Runner | None = None
        self._connection: Any = None

    def send(self, messages: Sequence[Message]) -> Report:
        """Publish all messages at once and wait for the answer to each."""
        # One loop for the life of the connection: the library binds its tasks to the loop.
        if self._runner is None:
            self._runner = asyncio.Runner()
        try:
            outcomes, problem, words = self._runner.run(self._publish(messages))
        except UsageError as error:
            return Report((AGAIN,) * len(messages), "blocked", str(error))
        except Exception as error:  # the library raises errors of asyncio, ssl and its own
            self.close()
            final = "Authorization" in str(error) or tls.is_final(error)
            return Report(
                (AGAIN,) * len(messages), "blocked" if final else "busy", self._words(error)
            )
        if problem is not None:
            # A connection that timed out may answer later, for messages that are sent again.
            self.close()
            return Report(tuple(outcomes), problem, words)
        return Report(tuple(outcomes), reason="stored")

    async def _publish(
        self, messages: Sequence[Message]
    ) -> tuple[list[Outcome], Problem | None, str]:
        if self._connection is None or not self._connection.is_connected:
            self._connection = await asyncio.wait_for(self._connect(), self._timeout)
        stream = self._connection.jetstream(timeout=self._timeout)
        answers = await asyncio.gather(
            *(
                stream.publish(self._subject, message.body, headers={"Nats-Msg-Id": message.id})
                for message in messages
            ),
            return_exceptions=True,  # one refused message must not hide the answers of the others
        )
        outcomes: list[Outcome] = []
        problem: Problem | None = None
        words = ""
        for answer in answers:
            kind, said = self._judged(answer)
            outcomes.append(kind)
            if kind is AGAIN and problem is None:
                problem = (
                    "blocked" if isinstance(answer, self._errors.NoStreamResponseError) else "busy"
                )
                words = said
        return outcomes, problem, words

    def _judged(self, answer: object) -> tuple[Outcome, str]:
        if not isinstance(answer, BaseException):
            return ACCEPTED, ""
        words = self._words(answer)
        # Of `nats.errors`, not of `nats.js.errors` as the others.
        if type(answer).__name__ == "MaxPayloadError":
            return Outcome("refused", words), words
        if isinstance(answer, self._errors.NoStreamResponseError):
            return AGAIN, "no stream takes this subject"
        code = getattr(answer, "code", None)
        if (
            isinstance(answer, self._errors.APIError)
            and isinstance(code, int)
            and 400 <= code < 500
            and code != 429
        ):
            return Outcome("refused", words, code), words
        return AGAIN, words

    async def _connect(self) -> Any:
        address, settings = self._settings.address, self._settings
        options: dict[str, Any] = {}
        if self._credential is not None:
            secret = self._credential.value().reveal().decode("ascii")
            options = (
                {"token": secret}
                if settings.user is UNSET
                else {"user": settings.user, "password": secret}
            )
        if address.secure:
            options |= {
                "tls": tls.context(settings),
                "tls_hostname": settings.get("server_name", address.host),
            }
        host = f"[{address.host}]" if ":" in address.host else address.host
        return await self._nats.connect(
            f"{'tls' if address.secure else 'nats'}://{host}:{address.port or _PORT}",
            name="jwtleak",
            # The outbox decides when to try again; the library would queue and send on its own.
            allow_reconnect=False,
            connect_timeout=max(1, int(self._timeout)),
            error_cb=_quiet,
            **options,
        )

    def _words(self, error: BaseException) -> str:
        known = self._credential.known() if self._credential else ()
        if isinstance(error, TimeoutError):
            return "no answer in time"
        return safe(
            tls.words(error) if isinstance(error, OSError) else str(error) or type(error).__name__,
            *known,
        )

    def idle(self) -> None:
        """Let the library answer the server's pings."""
        if self._runner is not None and self._connection is not None:
            # The loop runs only inside `run`: without this the server drops the connection.
            self._runner.run(asyncio.sleep(0))

    def reopen(self) -> None:
        """Certificates or the credential may have been renewed."""
        self.close()
        if self._credential is not None:
            self._credential.forget()

    def close(self) -> None:
        """Close the connection and its loop."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                runner.run(asyncio.wait_for(connection.close(), 2.0))
        except Exception:  # a connection that is gone cannot be closed in order
            connection = None
        finally:
            runner.close()


async def _quiet(_: Exception) -> None:
    """Errors come back from `publish`; the library would log them too."""


def open_sink(settings: SinkSettings) -> NatsSink:
    """The sink `nats://host/subject`."""
    return NatsSink(settings)
