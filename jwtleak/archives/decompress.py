"""Decompression: frame after frame, as a readable layer.

Promises: everything that can be decoded before a damage comes out; how the data ended (truncated,
corrupt, followed by something else) is reported once; the bounds of the archive are checked at
every step. Nothing that a library raises comes out.
"""

from __future__ import annotations

from jwtleak.archives.budget import Budget
from jwtleak.archives.codecs import Codec, is_skippable
from jwtleak.archives.reader import CAPACITY, Reader
from jwtleak.sources.interface import SNIFF

# What one call of a decoder may return: as much as the engine reads at once, so that a thread that
# inflates acquires the interpreter's lock as seldom as possible.
_STEP = 512 * 1024

# glibc maps each large block from the system, zeroed page by page, which costs as much as inflating
# into it, until a block of that size was freed once: only then does it keep such blocks. The blocks
# of decoders never count, since they are shrunk to their length first. So one is freed here.
bytearray(2 * _STEP)

# A damage costs all that the failing call would have returned. Where the input can be read again
# nothing is lost; where it cannot (inside another archive) calls are kept small, which costs a
# tenth of the speed.
_STEP_ONCE, _FEED_ONCE = 64 * 1024, 4 * 1024

# How finely input is fed on the way to a damage, attempt by attempt: byte by byte at once would
# need 65536 calls.
_GRAINS = (256, 1)


class Decoded:
    """What a reader's bytes decompress to. With `single`, one frame only: the container goes on
    behind it.

    A damaged frame is decoded again from its start, in finer steps, if the reader can begin again:

        frame ──────────────────── fed ──── damage
        first    64 KiB at a time        ✗
        then     64 KiB at a time  | 256 bytes at a time ✗
        then     64 KiB at a time  | ...  | byte by byte ✗   reported
                 output that came before is dropped
    """

    def __init__(
        self, reader: Reader, codec: Codec, budget: Budget, *, single: bool = False
    ) -> None:
        self._reader = reader
        self._codec = codec
        self._budget = budget
        self._memory = 0
        self._single = single
        self._step, self._feed = (
            (_STEP, CAPACITY) if reader.repeatable else (_STEP_ONCE, _FEED_ONCE)
        )
        self._total = 0
        self._grains = iter(_GRAINS)
        self._grain = self._feed
        self._careful: int | None = None  # from this input offset on, `_grain` bytes at a time
        self._repeated = 0  # bytes of output that came out before and will come again
        self.broken = False
        self.ended = False
        self._open_frame()

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer` with what the input at hand gives, at least one byte; 0 is the end, for
        whatever reason.
        """
        count = 0
        while count < len(buffer) and not self.ended:
            # Whoever reads a pipe wants what is there: once there is something to return, nothing
            # is read that may have to be waited for.
            if count and (self._decoder.needs_input or self._decoder.eof):
                break
            data = self._decode(min(len(buffer) - count, self._step))
            if data and not self._budget.spend(len(data)):
                self.ended = True
                break
            buffer[count : count + len(data)] = data
            count += len(data)
            self._total += len(data)
        return count

    def close(self) -> None:
        """Release the decoder's memory."""
        self._budget.release(self._memory)
        self._memory = 0

    def _open_frame(self) -> None:
        self._frame = self._fed = self._reader.offset
        self._produced = 0
        self.close()
        # Each frame states its own window: a second one may need more than the first.
        memory = self._codec.memory(self._reader.peek(SNIFF))
        if not self._budget.reserve(memory):
            self._budget.report_memory(memory, self._total)
            self.ended = self.broken = True
            return
        self._memory = memory
        self._decoder = self._codec.decoder(memory)

    def _decode(self, wanted: int) -> bytes:
        """One step; often without output, when it was input or the end of a frame."""
        if self._decoder.eof:
            self._next_frame()
            return b""
        data = b""
        if self._decoder.needs_input:
            self._fed = self._reader.offset
            # Up to the place where care begins as fast as ever, then in grains.
            before = self._feed if self._careful is None else self._careful - self._fed
            data = self._reader.read(min(before, self._feed) if before > 0 else self._grain)
            if not data:
                self._cut_off()
                return b""
        try:
            out = self._decoder.decompress(data, wanted)
        except Exception:  # whatever a decoder raises means that its input is bad
            # A container may find its next member in these bytes.
            self._reader.push_back(len(data))
            self._damaged()
            return b""
        if self._decoder.eof:
            self._reader.push_back(len(self._decoder.unused_data or b""))
        self._produced += len(out)
        # What came out before the frame was begun again is dropped.
        seen = min(self._repeated, len(out))
        self._repeated -= seen
        return out[seen:] if seen else out

    def _next_frame(self) -> None:
        """Go on with the frame behind this one, over padding; report anything else."""
        if self._single:
            self.ended = True
            return
        while self._codec.padded and (data := self._reader.read()):
            if rest := data.lstrip(b"\0"):
                self._reader.push_back(len(rest))
                break
        skip_empty_frames(self._reader, self._codec)
        head = self._reader.peek(8)
        if self._codec.starts(head):
            self._open_frame()
            return
        self.ended = True
        if head:
            # Bytes that somebody appended, or hid, behind a compressed log.
            reason = f"something else after the {self._codec.name} data"
            self._budget.report_damage(reason, self._total)

    def _cut_off(self) -> None:
        self.ended = True
        # If the layer below broke, it has reported: this end is only a consequence.
        if not self._reader.broken:
            reason = f"the {self._codec.name} data ends early"
            self._budget.report("truncated", reason, self._total)
        self.broken = True

    def _damaged(self) -> None:
        """Begin the frame again and go up to the damage in finer steps; report it once they cannot
        be finer.
        """
        grain = next(self._grains, None)
        again = self._reader.again(self._frame) if grain else None
        if grain is None or again is None:
            self.ended = self.broken = True
            self._budget.report_damage(f"the {self._codec.name} data is damaged", self._total)
            return
        self._grain, self._careful = grain, self._fed
        self._repeated += self._produced
        self._reader = again
        self._open_frame()


def skip_empty_frames(reader: Reader, codec: Codec) -> None:
    """Skip frames without content, which zstd's tools write ahead of others."""
    while codec.skippable and is_skippable(head := reader.peek(8)):
        reader.skip(8 + int.from_bytes(head[4:8], "little"))
