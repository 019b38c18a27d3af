"""`jwtleak test-sink`: sends one synthetic alert and says in plain words what came back."""

from __future__ import annotations

import click

from jwtleak.cli import voice
from jwtleak.cli.options import PathParam, option, read_config
from jwtleak.cli.sinks import chosen
from jwtleak.errors import UsageError
from jwtleak.runtime.delivery.probe import probe
from jwtleak.sinks.settings import SinkSettings


@click.command("test-sink")
@click.argument("url", nargs=-1, metavar="[URL...]")
@option(
    "--config",
    "-c",
    type=PathParam(dir_okay=False),
    metavar="FILE",
    help="Test the sinks of this configuration; URLs replace them.",
)
@option("--sink-config", type=PathParam(dir_okay=False), hidden=True)
@option(
    "--name",
    multiple=True,
    metavar="NAME",
    help="Of those, only the sink of this name (repeatable).",
)
def command(
    url: tuple[str, ...], config: str | None, sink_config: str | None, name: tuple[str, ...]
) -> int:
    """Send one clearly marked test alert to each sink and show the answers.

    A URL is one of stdout, file:PATH, syslog+tls://HOST and so on; settings follow `?`, as in
    `hec+https://splunk:8088?token_env=HEC_TOKEN`. The alert is sent once, whatever the routes, and
    is not stored.

    Exit status: 0 every sink accepted it, 3 one did not, 2 wrong usage or configuration.
    """
    file = config or sink_config
    settings = chosen(url, read_config(file), str(file))
    known = [sink.title for sink in settings]
    for wanted in name:
        if wanted not in known:
            raise UsageError(
                f"there is no sink named {wanted}: "
                f"the configuration has {', '.join(known) or 'none'}"
            )
    settings = [sink for sink in settings if not name or sink.title in name]
    if not settings:
        raise click.UsageError("nothing to test: give a URL, or --config FILE that has sinks")
    # Every sink is tested, also after one that failed.
    accepted = [_test(sink) for sink in settings]
    return 0 if all(accepted) else 3


def _test(settings: SinkSettings) -> bool:
    voice.say(f"{settings.title}: sending a test alert")
    answer = probe(settings)
    if answer.accepted:
        voice.say(f"{settings.title}: taken after {answer.seconds:.2f} s: {answer.words}")
        voice.say(f"{settings.title}: look for event {answer.id}; delivery is {answer.guarantee}")
    else:
        voice.error(f"{settings.title}: not taken: {answer.words}")
        for hint in answer.hints:
            voice.hint(hint)
    return answer.accepted
