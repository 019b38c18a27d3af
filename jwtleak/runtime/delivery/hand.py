"""The letters in hand: read from the mailbox, not yet settled. At most one batch of them, in the order of the queue.

Promises: a letter leaves the hand when it is struck off, put aside, or read again later; one that was taken but could not
be struck off (a full disk) is struck off later and not sent again.
"""

from __future__ import annotations

from typing import NamedTuple

from jwtleak.runtime.delivery.messages import Mailbox, Opener, Unreadable
from jwtleak.runtime.delivery.retry import Step
from jwtleak.sinks.interface import Limits, Message


class Ready(NamedTuple):
    """A letter that can be sent."""

    seq: int
    message: Message


class Hand:
    """Letters between one mailbox and one sink."""

    def __init__(self, mailbox: Mailbox, open_letter: Opener, limits: Limits) -> None:
        self._mailbox = mailbox
        self._open_letter = open_letter
        self._limits = limits
        self._ready: list[Ready] = []
        self._attempts: dict[int, int] = {}  # of letters that were sent and not taken
        self._owed: list[int] = []  # taken, not yet struck off

    @property
    def empty(self) -> bool:
        """Whether there is nothing in hand."""
        return not self._ready and not self._owed

    @property
    def last(self) -> int:
        """The number of the last letter in hand, taken ones too until they are struck off; 0 where there is none. May be asked
        from any thread: both lists are replaced, never changed, and a letter is in one of them all the time."""
        ready, owed = self._ready, self._owed
        return max([0, *owed, *(one.seq for one in ready[-1:])])

    def drop(self) -> None:
        """What is ready is read again later."""
        self._ready = []

    def fill(self) -> tuple[bool, int]:
        """Read letters, if none is ready. Returns whether there may be more behind them, and how many were unreadable."""
        if self._ready:
            return True, 0
        ready: list[Ready] = []
        unwanted: list[int] = []
        unreadable = 0
        letters = self._mailbox.pending(self._limits.messages, self._limits.size)
        for letter in letters:
            try:
                message = self._open_letter(letter)
            except Unreadable:
                self._mailbox.dead(letter.seq, "not an alert of this version", None, 0)
                unreadable += 1
                continue
            if message is None:
                unwanted.append(letter.seq)
            else:
                ready.append(Ready(letter.seq, message))
        self._ready = ready
        self._attempts = {one.seq: self._attempts[one.seq] for one in ready if one.seq in self._attempts}
        self._owed = [*self._owed, *unwanted]
        self.pay()
        return bool(letters), unreadable

    def batch(self, most: int) -> list[Ready]:
        """The first of the ready, as many as may go at once; empty only when none is ready."""
        batch: list[Ready] = []
        size = 0
        for one in self._ready[:most]:
            size += len(one.message.body)
            if batch and size > self._limits.size:
                break
            batch.append(one)
        return batch

    def lingers(self, now_ms: int) -> bool:
        """Whether what is ready should wait for more, since it is no full batch and not old."""
        limits = self._limits
        if not limits.linger or not self._ready or len(self._ready) >= limits.messages:
            return False
        full = sum(len(one.message.body) for one in self._ready) >= limits.size // 2
        return not full and 0 <= now_ms - self._ready[0].message.at_ms < limits.linger * 1000

    def settle(self, batch: list[Ready], step: Step) -> None:
        """Strike off what was taken, put aside what is dead, count the attempts of the rest."""
        gone = {batch[index].seq for index in step.acked}
        for dead in step.dead:
            seq = batch[dead.index].seq
            self._mailbox.dead(seq, dead.reason, dead.status, self._attempts.get(seq, 0) + 1)
            gone.add(seq)
        for one in batch:
            if one.seq in gone:
                self._attempts.pop(one.seq, None)
            else:
                self._attempts[one.seq] = self._attempts.get(one.seq, 0) + 1
        # Owed before it is no longer ready: `last` looks in the other order.
        self._owed = [*self._owed, *(batch[index].seq for index in step.acked)]
        self._ready = [one for one in self._ready if one.seq not in gone]
        self.pay()

    def pay(self) -> None:
        """Strike off what is still owed."""
        if self._owed:
            self._mailbox.ack(self._owed)
            self._owed = []
