"""What one archive file has used up, and what it may use.

Promises: once a bound is met, everything that reads this archive ends, with exactly one notice.
Refuses to read anything itself.
"""

from __future__ import annotations

from jwtleak.sources.interface import ArchiveLimits, Notice, NoticeKind, Notify

# Decompressed bytes before the ratio counts: a small file of repeated lines may well exceed it, and
# 64 MiB take a tenth of a second.
GRACE = 64 << 20


class _Account:
    """The sums of one archive file, shared by the budgets of all its members."""

    def __init__(self, size: int | None, limits: ArchiveLimits, notice: Notify) -> None:
        self.size = size
        self.notice = notice
        self.read = 0
        self.produced = 0
        self.stopped = False
        self.damaged = False
        self.memory = limits.max_memory
        self.allowed = 0


class Budget:
    """The bounds of one archive file, as seen by one layer of it.

    All layers share one account. They differ by `member`, the name that their notices carry.
    """

    __slots__ = ("_account", "limits", "member", "path")

    def __init__(self, path: str, size: int | None, limits: ArchiveLimits, notice: Notify) -> None:
        self.path = path
        self.limits = limits
        self.member: str | None = None
        self._account = _Account(size, limits, notice)
        self._account.allowed = self._allowance()

    def inside(self, name: str) -> Budget:
        """The same account for the member `name` of this layer: its notices say `member!name`."""
        # By hand, since each of a million members needs one: `copy.copy` takes ten times as long.
        inner = Budget.__new__(Budget)
        inner.path, inner.limits, inner._account = self.path, self.limits, self._account
        inner.member = f"{self.member}!{name}" if self.member else name
        return inner

    @property
    def stopped(self) -> bool:
        """Whether this archive has to end here."""
        return self._account.stopped

    @property
    def damaged(self) -> bool:
        """Whether some bytes could not be decoded: the file is then scanned raw as well."""
        return self._account.damaged

    def _allowance(self) -> int:
        account = self._account
        # The size of standard input is unknown: the ratio then counts against what was read so far.
        size = account.read if account.size is None else account.size
        return min(self.limits.max_archive_bytes, max(GRACE, size * self.limits.max_ratio))

    def count_read(self, count: int) -> None:
        """Count bytes of the file itself."""
        self._account.read += count

    def spend(self, count: int) -> bool:
        """Count decompressed bytes of all layers; False when the archive has to end here."""
        account = self._account
        if account.stopped:
            return False
        account.produced += count
        if account.produced <= account.allowed:
            return True
        # The allowance of a pipe grows with what was read of it, so it is computed again before
        # anything is called a bomb; doing so for each call would cost more than it finds.
        account.allowed = self._allowance()
        if account.produced <= account.allowed:
            return True
        # Both bounds end here: the notice names the one that a user could raise.
        capped = account.allowed == self.limits.max_archive_bytes
        bound = f"{account.allowed} bytes" if capped else f"{self.limits.max_ratio} times its size"
        self.report("bomb", f"unfolds to more than {bound}", account.produced - count)
        account.stopped = True
        return False

    def stop(self, reason: str) -> None:
        """End the archive because the file itself cannot be read any further."""
        self.report("unreadable", reason, self._account.produced)
        self._account.stopped = True

    def report(self, kind: NoticeKind, reason: str, bytes_read: int | None = None) -> None:
        """Give a notice about this layer.

        Nothing is reported once the archive was stopped: every layer above then ends early, and
        each would report a consequence of what was said already.
        """
        if not self._account.stopped:
            self._account.notice(Notice(kind, self.path, self.member, reason, bytes_read))

    def report_damage(self, reason: str, bytes_read: int | None = None) -> None:
        """Report bytes that cannot be decoded, and have the file scanned raw at the end."""
        self.report("corrupt", reason, bytes_read)
        # Of a stopped archive nothing more is read, the raw bytes neither.
        self._account.damaged = self._account.damaged or not self._account.stopped

    def report_memory(self, memory: int, bytes_read: int | None = None) -> None:
        """Report that a decoder would need more memory than is left."""
        reason = f"needs {memory >> 20} MiB of memory to decompress"
        self.report("unsupported", reason, bytes_read)

    def affords(self, memory: int) -> bool:
        """Whether that much decoder memory, in bytes, is left."""
        return memory <= self._account.memory

    def reserve(self, memory: int) -> bool:
        """Set aside decoder memory in bytes; False when there is not that much left."""
        if not self.affords(memory):
            return False
        # Decoders of nested archives are open at the same time, one for each level.
        self._account.memory -= memory
        return True

    def release(self, memory: int) -> None:
        """Give back what `reserve` set aside."""
        self._account.memory += memory
