"""The entry point: runs a command and turns errors into exit statuses.

Exit: 0 clean, 1 leaks found, 2 wrong usage or configuration, 3 no leaks found but some input could not be read,
130 interrupted. A closed pipe is not an error.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from typing import NoReturn

from jwtleak.cli import load_msgspec


def run(args: list[str] | None = None) -> NoReturn:
    """Run the command that `args` (default: the program's) name, and exit."""
    status = _status(sys.argv[1:] if args is None else args)
    gc.freeze()  # nothing is looked for among what the end of the process frees: that takes as long as loading msgspec
    sys.exit(status)


def _status(args: list[str]) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal in the C locale shows ? for what it has no letter for
    try:
        status = _invoke(args)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        forget_stdout()
        return 0
    except Exception as broken:  # the last resort: a traceback could show what was scanned
        return _failure(broken)
    return status


def _invoke(args: list[str]) -> int:
    if args[:1] == ["scan"]:
        load_msgspec()
        from jwtleak.cli.quick import understood

        options = understood(args[1:])
        if options is not None:
            from jwtleak.cli.scanning import Run

            return Run(options).run()
    from jwtleak.cli.group import invoke

    return invoke(args)


def _failure(broken: Exception) -> int:
    from jwtleak.cli import voice
    from jwtleak.errors import DeliveryError, JwtleakError, WorkerError
    from jwtleak.runtime.failure import place_of

    if isinstance(broken, JwtleakError):
        voice.error(str(broken))
        return 3 if isinstance(broken, WorkerError | DeliveryError) else 2
    if isinstance(broken, OSError) and broken.errno is not None:
        # Sources turn their errors into notices: what is left is the output.
        forget_stdout()
        voice.error(f"cannot write: {os.strerror(broken.errno).lower()}")
        return 3
    voice.error(place_of(broken))
    voice.hint("please report this line; it holds nothing of what was scanned")
    return 3


def forget_stdout() -> None:
    """The reader went away: nothing more may be flushed to it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
