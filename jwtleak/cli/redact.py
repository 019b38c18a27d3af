"""`jwtleak redact`: copies its input to its output with every token replaced by `[JWT 78b91dd3]`.

Promises: nothing else changes, whatever the bytes; what could not be read is said and shows in the
exit status.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import IO

import click

from jwtleak.archives.sniff import sniff
from jwtleak.cli import voice
from jwtleak.cli.options import PathParam, option
from jwtleak.cli.output import open_private
from jwtleak.core.redaction import Redactor
from jwtleak.errors import SourceError
from jwtleak.runtime.scan.redact import redacted
from jwtleak.runtime.scan.stdin import InputWait, always
from jwtleak.sources.local import FileStream
from jwtleak.sources.stdin import StdinStream


@click.command("redact")
@click.argument("files", nargs=-1, metavar="[FILE...|-]")
@option("--check", is_flag=True, help="Exit with 1 when something was replaced.")
@option("--output", "-o", type=PathParam(dir_okay=False), metavar="FILE", help="Write to FILE.")
def command(files: tuple[str, ...], check: bool, output: str | None) -> int:
    """Copy files, or standard input (-), with every token replaced by [JWT 78b91dd3].

    The eight characters are the first of the token's SHA-256, as in the alerts of scan. Lines are
    written as they come. Text that may begin a token waits for the next bytes, or for a second.

    Exit status: 0, 1 with --check when something was replaced, 2 wrong usage, 3 some input could
    not be read.
    """
    if not files and (sys.stdin is None or sys.stdin.isatty()):
        raise click.UsageError("nothing to redact: give a file, or - for standard input")
    copy = _Copy()
    with ExitStack() as stack:
        to: IO[bytes] = sys.stdout.buffer
        if output is not None:
            _refuse_own_input(output, files)
            to = stack.enter_context(open_private(output))
        for file in files or ("-",):
            for part in copy.parts(file):
                if part:
                    to.write(part)
                    to.flush()
    if check and copy.replaced:
        return 1
    return 3 if copy.failed else 0


def _refuse_own_input(output: str, files: tuple[str, ...]) -> None:
    if any(
        os.path.exists(file) and os.path.exists(output) and os.path.samefile(file, output)
        for file in files
    ):
        raise click.UsageError(
            f"{output} is both input and output: write to another file, then move it"
        )


class _Copy:
    """Copies inputs; counts what was replaced and what could not be read."""

    def __init__(self) -> None:
        self.replaced = 0
        self.failed = False

    def parts(self, file: str) -> Iterator[bytes]:
        """One input, redacted."""
        redactor = Redactor()
        try:
            with closing(StdinStream() if file == "-" else FileStream(file)) as stream:
                self._warn_of_archive(file, stream)
                wait = stream.wait if isinstance(stream, StdinStream) else always
                yield from redacted(redactor, InputWait(stream, wait))
        except SourceError as error:
            yield redactor.close()
            voice.error(f"{error.path}: {error.reason}")
            self.failed = True
        finally:
            self.replaced += redactor.count

    def _warn_of_archive(self, file: str, stream: StdinStream | FileStream) -> None:
        """Warn that an archive is copied as it is: no token is found in it, whatever it holds."""
        if sniff(stream.peek()) is not None:
            voice.warning(
                f"{'standard input' if file == '-' else file}: packed, so tokens in it are not "
                "seen: unpack it first"
            )
            self.failed = True
