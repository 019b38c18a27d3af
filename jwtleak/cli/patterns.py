"""`jwtleak patterns`: shows which patterns are on, proves that they do what they say."""

from __future__ import annotations

import click

from jwtleak.cli import voice
from jwtleak.cli.options import PathParam, option
from jwtleak.core.channel import Channels
from jwtleak.core.engine import Engine
from jwtleak.patterns import load_channels, load_shapes, load_user_patterns
from jwtleak.patterns.check import check
from jwtleak.patterns.tables import load_claims, load_issuers, load_keys, load_notes, load_servers
from jwtleak.types import Token

_DIRECTORIES = option(
    "--patterns",
    "directories",
    multiple=True,
    type=PathParam(exists=True, file_okay=False),
    metavar="DIR",
    help="Also the patterns in DIR (repeatable).",
)


@click.group("patterns")
def command() -> None:
    """List or check the patterns: token shapes, channels, issuers, keys, claims, servers, and those
    of users.
    """


@command.command("list")
@_DIRECTORIES
def list_(directories: tuple[str, ...]) -> None:
    """Show the active patterns, one per line: kind, id, meaning."""
    rows: list[tuple[str, str, str]] = [("shape", shape.id, shape.kind) for shape in load_shapes()]
    rows += [("channel", rule.id, rule.type) for rule in load_channels()]
    issuers, uses, _ = load_issuers()
    rows += [
        (
            "issuer",
            issuer.id,
            f"{issuer.name}: {', '.join(dict.fromkeys(use.use for use in issuer.uses))}",
        )
        for issuer in issuers
    ]
    rows += [("use", use.use, "of any issuer") for use in uses]
    rows += [(note.effect, note.id, note.why) for note in load_notes()]
    keys, examples = load_keys()
    rows += [("key", key.id, f"published: {key.reference}") for key in keys]
    rows.append(
        (
            "example",
            f"{sum(len(example.sha256) for example in examples)} tokens",
            f"of {len(examples)} documents",
        )
    )
    for table, kinds in load_claims()[0].items():
        rows += [("claim", f"{table}: {kind}", ", ".join(names)) for kind, names in kinds.items()]
    rows += [
        ("server", server.id, "how to keep tokens out of its log") for server in load_servers()
    ]
    rows += [
        ("pattern", pattern.id, f"{pattern.severity}: {pattern.title}")
        for pattern in load_user_patterns(directories).patterns
    ]
    for sort, name, meaning in rows:
        click.echo(f"{sort:<9}{name:<34}{meaning}")


@command.command("check")
@_DIRECTORIES
@click.argument("more", nargs=-1, type=PathParam(exists=True, file_okay=False), metavar="[DIR...]")
def check_(directories: tuple[str, ...], more: tuple[str, ...]) -> int:
    """Check every pattern with its examples; reject those that could hang or match too much.

    Exit status: 0 if all patterns are valid, 2 if not.
    """
    channels = Channels(load_channels())

    def find(data: bytes) -> list[str]:
        engine = Engine(channels)
        findings = engine.feed(data) + engine.close()
        return [finding.token.kind for finding in findings if isinstance(finding.token, Token)]

    problems = check((*directories, *more), find)
    for problem in problems:
        voice.error(
            f"{problem.file}: {problem.id}: {problem.message}" if problem.id else problem.message
        )
    if not problems:
        voice.say("all patterns are well")
    return 2 if problems else 0
