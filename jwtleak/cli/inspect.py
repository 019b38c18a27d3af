"""`jwtleak inspect`: explains one token, or the tokens in a text, as redacted as all output."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

import click
from msgspec import UNSET
from msgspec.structs import replace

from jwtleak.alerts.alert import Alert, to_json
from jwtleak.alerts.builder import AlertContext, Builder
from jwtleak.assess.weaknesses import meaning_of
from jwtleak.cli import voice
from jwtleak.cli.options import MOMENT, assessment_options, option, read_config
from jwtleak.cli.table import duration
from jwtleak.core.channel import Channels
from jwtleak.core.engine import READ_SIZE, Engine
from jwtleak.patterns import builtin_channels
from jwtleak.runtime.assessment import AssessmentOptions, prepare
from jwtleak.runtime.state_dir import subject_key
from jwtleak.types import UNKNOWN_CHANNEL, StreamInfo

# An explanation is for a few tokens; a larger text is for `scan`.
_MAX_TOKENS = 100


@click.command("inspect")
@click.argument("tokens", nargs=-1, metavar="")
@option(
    "--file",
    "file",
    type=click.File("rb"),
    default="-",
    help="Read this file instead of standard input.",
)
@option(
    "--format",
    "-f",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text for people, json for one alert per line.",
)
@option("--now", type=MOMENT, metavar="TIME", help="Judge expiry at this time instead of now.")
@assessment_options
def command(
    tokens: tuple[str, ...],
    file: IO[bytes],
    form: str,
    now: float | None,
    config: str | None,
    **assessment: Any,
) -> int:
    """Explain one token, or the tokens in a text, read from standard input.

    A token on the command line is refused: other users see it in the process list, and the shell
    keeps it.

    Exit status: 0 if a token was found, 1 if none was, 2 wrong usage.
    """
    if tokens:
        voice.error("a token on the command line is in the process list and in the shell's history")
        voice.hint(
            "give it on standard input: jwtleak inspect, paste, Enter, Ctrl-D; "
            "and treat this one as leaked"
        )
        return 2
    if form == "text" and file.isatty():
        voice.hint("paste a token, then Enter and Ctrl-D")
    found = 0
    alert_context = AlertContext(time.time() if now is None else now, None, subject_key()[0])
    options = AssessmentOptions(config=read_config(config), **assessment)
    for alert in _alerts(file, prepare(alert_context, options, voice.warning)):
        found += 1
        if found > _MAX_TOKENS:
            voice.warning(f"more than {_MAX_TOKENS} tokens: the rest is left out; use jwtleak scan")
            break
        if form == "json":
            sys.stdout.buffer.write(to_json(alert) + b"\n")
        else:
            click.echo("\n".join(explain(alert)) + "\n")
    if not found:
        voice.say("no token found: nothing here decodes to a JOSE header")
    return 0 if found else 1


def _alerts(file: IO[bytes], alert_context: AlertContext) -> Iterator[Alert]:
    engine = Engine(Channels(builtin_channels))
    builder = Builder(StreamInfo("stdin"), alert_context)
    # read1: one Ctrl-D ends what is typed; read() would want another after the bytes that it
    # already has.
    read: Callable[[int], bytes] = getattr(file, "read1", file.read)
    while data := read(READ_SIZE):
        for finding in engine.feed(data):
            yield builder.build(
                replace(finding, channel=UNKNOWN_CHANNEL), engine.occurrence(finding)
            )
    for finding in engine.close():
        yield builder.build(replace(finding, channel=UNKNOWN_CHANNEL), engine.occurrence(finding))


def explain(alert: Alert) -> list[str]:
    """The lines for one token."""
    token = alert.token
    fields: list[tuple[str, object]] = [
        ("sha256", token.sha256),
        ("severity", f"{alert.severity}, confidence {alert.confidence}"),
        ("why", ", ".join(alert.reasons) or UNSET),
        ("kept back", alert.suppressed),
        ("provider", token.provider),
        ("use", token.use),
        ("algorithm", token.alg),
        ("encryption", token.enc),
        ("key id", token.kid),
        ("type", token.typ),
        ("status", token.status),
        ("expires", _moment(token.expires_at, token.expires_in)),
        ("issued", token.issued_at),
        ("not before", token.not_before),
        ("lifetime", UNSET if token.lifetime is UNSET else duration(token.lifetime)),
        ("issuer", token.issuer),
        ("audience", UNSET if token.audience is UNSET else ", ".join(token.audience)),
        ("scopes", UNSET if token.scopes is UNSET else " ".join(token.scopes)),
        ("subject hash", token.subject_hash),
        ("signature", token.signature),
        ("encodings", ", ".join(alert.channel.encodings) or UNSET),
        (
            "place",
            f"line {alert.location.line}, column {alert.location.column}, {token.length} bytes",
        ),
    ]
    lines = [f"{_KINDS.get(token.kind, token.kind)}  {token.redacted}"]
    lines += [f"  {name + ':':<14}{value}" for name, value in fields if value is not UNSET]
    for name in token.weaknesses:
        weakness = meaning_of(name)
        lines.append(
            f"  {'weakness:':<14}{name}: {weakness.meaning} ({', '.join(weakness.references)})"
        )
    lines += [
        f"  {'advice:':<14}{step}" for step in alert.advice[: -1 if len(alert.advice) > 1 else None]
    ]
    # The last step is about the place of the leak: a token that was typed in has none.
    return lines


_KINDS = {
    "jws": "Signed JWT (JWS)",
    "unsecured": "Unsigned JWT",
    "detached": "Detached JWS",
    "jwe": "Encrypted JWT (JWE)",
    "sd-jwt": "SD-JWT",
}


def _moment(at: object, seconds: object) -> object:
    if not isinstance(at, str) or not isinstance(seconds, int):
        return at
    return f"{at} ({'in ' + duration(seconds) if seconds >= 0 else duration(-seconds) + ' ago'})"
