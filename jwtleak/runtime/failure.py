"""Where the program itself failed, told without a value: a traceback or a message could show what was scanned."""

from __future__ import annotations


def place_of(broken: BaseException) -> str:
    """The exception's type and the module and line of the deepest own frame."""
    frame, place = broken.__traceback__, "?"
    while frame is not None:
        name = str(frame.tb_frame.f_globals.get("__name__", ""))
        if name.startswith("jwtleak"):
            place = f"{name}:{frame.tb_lineno}"
        frame = frame.tb_next
    return f"internal error: {type(broken).__name__} at {place}"
