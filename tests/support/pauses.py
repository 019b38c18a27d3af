"""A stream whose writer pauses, without a clock."""

from __future__ import annotations


class Script:
    """A stream that gives its parts one by one: bytes are there at once, None is a silence, an
    exception is raised.
    """

    def __init__(self, *parts: bytes | type[BaseException] | None) -> None:
        self.parts = list(parts)
        self.waits: list[float] = []

    def wait(self, seconds: float) -> bool:
        """Whether bytes are there."""
        self.waits.append(seconds)
        if self.parts and self.parts[0] is None:
            self.parts.pop(0)
            return False
        return True

    def readinto(self, buffer: memoryview) -> int:
        """The next part."""
        while self.parts and self.parts[0] is None:
            self.parts.pop(0)
        if not self.parts:
            return 0
        part = self.parts.pop(0)
        if isinstance(part, type):
            raise part
        assert part is not None
        buffer[: len(part)] = part
        return len(part)
