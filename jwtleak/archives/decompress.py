"""Decompression: one frame after another, as a readable layer.

Promises: everything that can be decoded before a damage is given; how it ended (truncated, corrupt,
garbage behind it) is told once; the bounds of the archive are asked for at every step. Nothing that
a library raises comes out.
"""

from __future__ import annotations

from jwtleak.archives.budget import Budget
from jwtleak.archives.codecs import Codec, is_skippable
from jwtleak.archives.reader import CAPACITY, Reader
from jwtleak.sources.local import SNIFF

# What one call of a decoder may give: as much as the engine reads at once, so that a thread that
# inflates asks for the interpreter's lock as seldom as can be.
_STEP = 512 * 1024

# glibc takes each large block from the system, zeroed page by page, which costs as much as
# inflating into it, until one of that size was given back. What decoders give never counts, being
# cut to its length before: so one is given back here.
bytearray(2 * _STEP)

# A damage takes with it what the failing call would have given. Where the input can be had again
# nothing is lost; where it cannot (inside another archive) calls are kept small, which costs a
# tenth of the speed.
_STEP_ONCE, _FEED_ONCE = 64 * 1024, 4 * 1024

# How finely input is fed on the way to a damage, attempt by attempt: byte by byte at once would
# take 65536 calls.
_GRAINS = (256, 1)


class Decoded:
    """What a reader's bytes decompress to. With `single`, one frame only: the container goes on
    behind it.
    """

    def __init__(
        self,
        reader: Reader,
        codec: Codec,
        budget: Budget,
        member: str | None,
        *,
        single: bool = False,
    ) -> None:
        self._reader = reader
        self._codec = codec
        self._budget = budget
        self._member = member
        self._memory = 0
        self._single = single
        self._step, self._feed = (
            (_STEP, CAPACITY) if reader.repeatable else (_STEP_ONCE, _FEED_ONCE)
        )
        self._total = 0
        self._grains = iter(_GRAINS)
        self._grain = self._feed
        self._careful: int | None = None  # from this input offset on, `_grain` bytes at a time
        self._repeated = 0  # bytes that were given before and come again
        self.broken = False
        self.ended = False
        self._open_frame()

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer` with what the input at hand gives, and with something at the least; 0 is
        the end, whatever it is that ended.
        """
        count = 0
        while count < len(buffer) and not self.ended and not (count and self._is_hungry()):
            count += self._fill(buffer[count:])
        return count

    def _fill(self, buffer: memoryview) -> int:
        """One step into `buffer`."""
        data = self._decode(min(len(buffer), self._step))
        if data and not self._budget.spend(len(data), self._member):
            self.ended = True
            return 0
        buffer[: len(data)] = data
        self._total += len(data)
        return len(data)

    def _is_hungry(self) -> bool:
        """Whether the next step would wait for input: the one who reads a pipe wants what there is."""
        return self._decoder.needs_input or self._decoder.eof

    def close(self) -> None:
        """Give back the decoder's memory."""
        self._budget.release(self._memory)
        self._memory = 0

    def _open_frame(self) -> None:
        self._frame = self._fed = self._reader.offset
        self._given = 0
        self.close()
        memory = self._codec.memory(self._reader.peek(SNIFF))
        if not self._budget.reserve(memory):
            self._budget.lacks(self._member, memory, self._total)
            self.ended = self.broken = True
            return
        self._memory = memory
        self._decoder = self._codec.decoder(memory)

    def _decode(self, wanted: int) -> bytes:
        """One step; often gives nothing, when it was input or the end of a frame."""
        if self._decoder.eof:
            self._next_frame()
            return b""
        data = b""
        if self._decoder.needs_input:
            self._fed = self._reader.offset
            data = self._reader.read(self._portion())
            if not data:
                self._cut_off()
                return b""
        try:
            out = self._decoder.decompress(data, wanted)
        except Exception:  # whatever a decoder raises means that its input is bad
            self._reader.give_back(len(data))  # a container may find its next member there
            self._damaged()
            return b""
        if self._decoder.eof:
            self._reader.give_back(len(self._decoder.unused_data or b""))
        self._given += len(out)
        return self._unseen(out)

    def _portion(self) -> int:
        """How much to feed at once: up to the place where care begins, then in grains."""
        before = self._feed if self._careful is None else self._careful - self._fed
        return min(before, self._feed) if before > 0 else self._grain

    def _unseen(self, out: bytes) -> bytes:
        """What of this output was not given before the frame was begun again."""
        seen = min(self._repeated, len(out))
        self._repeated -= seen
        return out[seen:] if seen else out

    def _next_frame(self) -> None:
        """Go on with the frame behind this one; padding is passed over, and anything else is told."""
        if self._single:
            self.ended = True
            return
        self._pass_over()
        head = self._reader.peek(8)
        if self._codec.starts(head):
            self._open_frame()
            return
        self.ended = True
        if head:
            self._budget.damage(
                self._member, f"something else after the {self._codec.name} data", self._total
            )

    def _pass_over(self) -> None:
        """Skip zero padding, and frames without content."""
        while self._codec.padded and (data := self._reader.read()):
            if rest := data.lstrip(b"\0"):
                self._reader.give_back(len(rest))
                break
        skip_empty_frames(self._reader, self._codec)

    def _cut_off(self) -> None:
        self.ended = True
        if not self._reader.broken:
            self._budget.tell(
                "truncated", self._member, f"the {self._codec.name} data ends early", self._total
            )
        self.broken = True

    def _damaged(self) -> None:
        """Begin the frame again and go up to the damage in finer steps, or, when they cannot be
        finer, say so.
        """
        grain = next(self._grains, None)
        again = self._reader.again(self._frame) if grain else None
        if grain is None or again is None:
            self.ended = self.broken = True
            self._budget.damage(
                self._member, f"the {self._codec.name} data is damaged", self._total
            )
            return
        self._grain, self._careful = grain, self._fed
        self._repeated += self._given
        self._reader = again
        self._open_frame()


def skip_empty_frames(reader: Reader, codec: Codec) -> None:
    """Go over frames without content, which zstd's tools write ahead of others."""
    while codec.skippable and is_skippable(head := reader.peek(8)):
        reader.skip(8 + int.from_bytes(head[4:8], "little"))
