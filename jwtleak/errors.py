"""The exceptions that cross floors.

Promises: every error that a user can cause is a `JwtleakError` whose text is fit to be shown: lower
case, no full stop, and never a byte of what was scanned.
"""

from __future__ import annotations


class JwtleakError(Exception):
    """Base of all errors meant for people."""


class UsageError(JwtleakError):
    """Wrong command line or configuration (exit status 2)."""


class PatternError(JwtleakError):
    """A pattern file that cannot be used; names the file, the entry and the key."""


class SourceError(JwtleakError):
    """Something could not be read. `path` is for display, `reason` says why in a few words."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class WorkerError(JwtleakError):
    """A worker process died or failed; its task is named, never skipped in silence."""


class DeliveryError(JwtleakError):
    """Alerts could not be delivered in time; they are still in the store."""


class StoreError(JwtleakError):
    """The state cannot be used: another process holds it, a newer version made it, or it does not
    open.
    """


class StoreFull(StoreError):  # noqa: N818  a state of the disk, not a mistake
    """A change could not be written (no space, a quota, a failing disk, a foreign lock). Nothing
    was changed: it may work later.
    """


class StoreCorrupt(StoreError):  # noqa: N818  a state of the file
    """The file with the state is damaged."""


def reason_of(error: OSError | ValueError, otherwise: str | None = None) -> str:
    """Why the system refused, in its own words: lower case at the start, as all our messages.

    `otherwise` replaces the text of an OSError that the system did not raise itself. A caller that
    wants lower case throughout asks for it: of the texts that can occur only "Remote I/O error"
    differs.
    """
    if not isinstance(error, OSError):
        # The only ValueError of a path is a NUL byte in it; Python words it differently from
        # version to version.
        return "embedded null byte"
    text = error.strerror or otherwise or str(error)
    return text[:1].lower() + text[1:]


def place_of(broken: BaseException) -> str:
    """Where the program itself failed: the exception's type, the module and line of the deepest
    frame that is ours.

    The message is left out, as it could show what was scanned.
    """
    frame, place = broken.__traceback__, "?"
    while frame is not None:
        name = str(frame.tb_frame.f_globals.get("__name__", ""))
        if name.startswith("jwtleak"):
            place = f"{name}:{frame.tb_lineno}"
        frame = frame.tb_next
    return f"internal error: {type(broken).__name__} at {place}"
