"""The command line: names the commands, loads the one that is called, turns errors into exit
statuses.

Exit: 0 clean, 1 leaks found, 2 wrong usage or configuration, 3 no leaks found but some input could
not be read, 130 interrupted. A closed pipe is not an error.
"""

from __future__ import annotations

import gc
import importlib
import io
import os
import re
import sys
from typing import NoReturn

import click

from jwtleak.cli import quick_start
from jwtleak.cli.options import help_option, option, saying
from jwtleak.version import __version__

# A command's module is loaded only when it is called: `jwtleak --version` must not wait for a table
# or a thread pool.
_COMMANDS = {
    "scan": "Find tokens in files, directories, archives or standard input",
    "tail": "Follow growing and rotating files and report tokens as they are written",
    "check-config": "Show what tail would follow and where alerts would go; change nothing",
    "redact": "Copy a stream with every token replaced",
    "inspect": "Explain one token, or the tokens in a text",
    "patterns": "List or check patterns",
    "state": "Inspect, prune or reset the state; dead letters",
    "test-sink": "Send a test alert to a sink and show its answer",
    "schema": "Print the JSON Schema of an alert",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        quick_start(command=True)
        module = importlib.import_module(f"jwtleak.cli.{cmd_name.replace('-', '_')}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@option(
    "-V",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=saying(lambda _: f"jwtleak {__version__}"),
    help="Show the version and exit.",
)
@help_option
def main() -> None:
    """Find JSON Web Tokens that leak into logs and files, and never print one.

    Alerts go to standard output, messages for people to standard error.
    """


def run(args: list[str] | None = None) -> NoReturn:
    """The entry point: run a command and exit."""
    status = _status(args)
    # The interpreter collects garbage once more before it exits; frozen objects are left out of
    # that, which saves as much time as loading click takes.
    gc.freeze()
    sys.exit(status)


def _status(args: list[str] | None) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal in the C locale shows ? for a character that it does not have.
        sys.stdout.reconfigure(errors="replace")
    try:
        # Not main.main(): click would turn a closed pipe into exit status 1.
        with main.make_context("jwtleak", sys.argv[1:] if args is None else args) as context:
            status = main.invoke(context)
        _flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.UsageError as wrong:
        return _usage(wrong)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        from jwtleak.cli.voice import forget_stdout

        forget_stdout()
        return 0
    except Exception as broken:  # of any kind: a traceback could show what was scanned
        return _failure(broken)
    return status if isinstance(status, int) else 0


def _usage(wrong: click.UsageError) -> int:
    from jwtleak.cli import voice

    if isinstance(wrong, click.exceptions.NoArgsIsHelpError):
        click.echo(wrong.format_message(), err=True)
        return 2
    voice.error(_lower(wrong.format_message().rstrip(".")))
    if wrong.ctx is not None:
        voice.hint(f"see {wrong.ctx.command_path} --help")
    return 2


def _failure(broken: Exception) -> int:
    from jwtleak.cli import voice
    from jwtleak.errors import DeliveryError, JwtleakError, WorkerError, place_of

    if isinstance(broken, JwtleakError):
        voice.error(str(broken))
        return 3 if isinstance(broken, WorkerError | DeliveryError) else 2
    if isinstance(broken, OSError) and broken.errno is not None:
        # Sources turn their errors into notices, so this one comes from writing the output.
        voice.forget_stdout()
        voice.error(f"cannot write: {os.strerror(broken.errno).lower()}")
        return 3
    voice.error(place_of(broken))
    voice.hint("please report this line; it holds nothing of what was scanned")
    return 3


def _lower(text: str) -> str:
    """Click's sentences in the voice of this program: no capital at the start or after a colon."""
    return re.sub(r"(?:^|(?<=: ))[A-Z](?=[a-z])", lambda capital: capital[0].lower(), text)


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()
