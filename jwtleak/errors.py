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

    def __reduce__(self) -> tuple[type[SourceError], tuple[str, str]]:
        # An exception is pickled by its `args`, here one text; workers hand errors on.
        return type(self), (self.path, self.reason)


class WorkerError(JwtleakError):
    """A worker process died or failed; what it had in hand is named, never silently skipped."""


class DeliveryError(JwtleakError):
    """Alerts could not be delivered in time; they are still in the store."""


class StoreError(JwtleakError):
    """The state cannot be used: held by another process, made by a newer version, not to be opened."""


class StoreFull(StoreError):  # noqa: N818  a state of the disk, not a mistake
    """A change could not be written (no space, a quota, a failing disk, a foreign lock). Nothing
    was changed: it may work later.
    """


class StoreCorrupt(StoreError):  # noqa: N818  a state of the file
    """The file with the state is damaged."""


# Where the program itself failed, told without a value: a traceback or a message could show what
# was scanned.


def place_of(broken: BaseException) -> str:
    """The exception's type and the module and line of the deepest own frame."""
    frame, place = broken.__traceback__, "?"
    while frame is not None:
        name = str(frame.tb_frame.f_globals.get("__name__", ""))
        if name.startswith("jwtleak"):
            place = f"{name}:{frame.tb_lineno}"
        frame = frame.tb_next
    return f"internal error: {type(broken).__name__} at {place}"
