"""What one archive file has used up, and what it may.

Promises: once a bound is met everything that reads this archive ends, with exactly one notice;
nothing here reads.
"""

from __future__ import annotations

from jwtleak.sources.interface import ArchiveLimits, Notice, NoticeKind, Notify

# Decompressed bytes before the ratio is asked for: a small file of repeated lines may well exceed
# it, and 64 MiB are over in a tenth of a second.
GRACE = 64 << 20


class Budget:
    """The account of one archive file, shared by all layers that are unfolded from it."""

    def __init__(self, path: str, size: int | None, limits: ArchiveLimits, notice: Notify) -> None:
        self.path = path
        self.limits = limits
        self.taken = 0  # bytes of the file itself that were read
        self.produced = 0  # bytes that all layers together gave
        self.stopped = False
        self.damaged = (
            False  # some bytes of the file could not be decoded: they are worth reading as they are
        )
        self._size = size
        self._notice = notice
        self._memory = limits.max_memory
        self._allowed = self._allowance()

    def _allowance(self) -> int:
        # Of standard input the size is not known: what was read so far stands for it.
        size = self.taken if self._size is None else self._size
        return min(self.limits.max_archive_bytes, max(GRACE, size * self.limits.max_ratio))

    def spend(self, count: int, member: str | None) -> bool:
        """Count decompressed bytes; False when the archive has to end here."""
        if self.stopped:
            return False
        self.produced += count
        if self.produced <= self._allowed:
            return True
        self._allowed = self._allowance()
        if self.produced <= self._allowed:
            return True
        capped = self._allowed == self.limits.max_archive_bytes
        bound = f"{self._allowed} bytes" if capped else f"{self.limits.max_ratio} times its size"
        self.tell("bomb", member, f"unfolds to more than {bound}", self.produced - count)
        self.stopped = True
        return False

    def stop(self, reason: str, member: str | None = None) -> None:
        """End the archive because the file itself cannot be read on."""
        self.tell("unreadable", member, reason, self.produced)
        self.stopped = True

    def tell(
        self, kind: NoticeKind, member: str | None, reason: str, bytes_read: int | None = None
    ) -> None:
        """Report, unless the archive was stopped already: what follows from that is not news."""
        if not self.stopped:
            self._notice(Notice(kind, self.path, member, reason, bytes_read))

    def damage(self, member: str | None, reason: str, bytes_read: int | None = None) -> None:
        """Report bytes that cannot be decoded, and remember that the file has such."""
        self.tell("corrupt", member, reason, bytes_read)
        self.damaged = self.damaged or not self.stopped

    def lacks(self, member: str | None, memory: int, bytes_read: int | None = None) -> None:
        """Report that a decoder would need more memory than is left."""
        self.tell(
            "unsupported", member, f"needs {memory >> 20} MiB of memory to decompress", bytes_read
        )

    def affords(self, memory: int) -> bool:
        """Whether that much decoder memory, in bytes, is left."""
        return memory <= self._memory

    def reserve(self, memory: int) -> bool:
        """Set aside decoder memory in bytes; False when there is not that much left."""
        if not self.affords(memory):
            return False
        self._memory -= memory
        return True

    def release(self, memory: int) -> None:
        """Give back what `reserve` set aside."""
        self._memory += memory
