"""The commands, and what click makes of their arguments."""

from __future__ import annotations

import importlib
import re

import click

from jwtleak.cli import load_msgspec
from jwtleak.cli.options import help_option, option, saying
from jwtleak.version import __version__

# Loaded only when called: `jwtleak --version` must not wait for a table or a thread pool.
_COMMANDS = {
    "scan": "Find tokens in files, directories, archives or standard input",
    "tail": "Follow growing and rotating files and tell of tokens as they are written",
    "check-config": "Say what tail would follow and where alerts would go, and touch nothing",
    "redact": "Copy a stream with every token replaced",
    "inspect": "Explain one token, or the tokens in a text",
    "patterns": "List or check patterns",
    "state": "Look into, prune or forget what is remembered; dead letters",
    "test-sink": "Send a test alert to a sink and say what came back",
    "schema": "Print the JSON Schema of an alert",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        load_msgspec()
        module = importlib.import_module(f"jwtleak.cli.{cmd_name.replace('-', '_')}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@option("-V", "--version", is_flag=True, is_eager=True, expose_value=False,
        callback=saying(lambda _: f"jwtleak {__version__}"), help="Show the version and exit.")
@help_option
def main() -> None:
    """Find JSON Web Tokens that leak into logs and files, and never print one.

    Alerts go to standard output, everything for people to standard error.
    """


def invoke(args: list[str]) -> int:
    """Run the command that `args` name; gives the exit status. Errors that are not of its arguments are raised."""
    try:
        # Not main.main(): click would turn a closed pipe into exit status 1.
        with main.make_context("jwtleak", list(args)) as context:
            status = main.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.UsageError as wrong:
        return _usage(wrong)
    except click.Abort:
        return 130
    return status if isinstance(status, int) else 0


def _usage(wrong: click.UsageError) -> int:
    if isinstance(wrong, click.exceptions.NoArgsIsHelpError):
        click.echo(wrong.format_message(), err=True)
        return 2
    from jwtleak.cli import voice  # brings part of the core along, which `--version` does without

    voice.error(_lower(wrong.format_message().rstrip(".")))
    if wrong.ctx is not None:
        voice.hint(f"see {wrong.ctx.command_path} --help")
    return 2


def _lower(text: str) -> str:
    """The voice of this program for sentences of click's, which begin with a capital, also behind a colon."""
    return re.sub(r"(?:^|(?<=: ))[A-Z](?=[a-z])", lambda capital: capital[0].lower(), text)
