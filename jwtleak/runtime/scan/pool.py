"""Processes: tasks run side by side, their messages given back in the order of the tasks.

Promises: order and content are those of one process; a worker that dies is an error that names its
task; messages that arrive early wait in bounded memory, and a worker that is too far ahead waits on
its pipe. No worker outlives the parent for longer than its task.
"""

from __future__ import annotations

import os
import select
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import NoReturn

import msgspec

from jwtleak.errors import WorkerError, place_of
from jwtleak.runtime.scan.worker import (
    Alerts,
    Done,
    Failed,
    Message,
    Plan,
    ScanWorker,
    Task,
    describe,
)

# A forked process, and messages to and from it.
#
# Promises: a message arrives whole or not at all; a child that is gone is an EOFError; nothing of
# the parent's buffers is written twice, and nothing is printed by a child that fails.
#
# Plain `fork` and pipes rather than `multiprocessing`: loading that takes as long as scanning 100
# MB, and every scan of more than a few megabytes would wait for it.

# Bytes of a message's length, which stands before it.
_LENGTH = 4


class Ends(msgspec.Struct, frozen=True):
    """One side of a pair of pipes: descriptors to read from and to write to."""

    reading: int
    writing: int

    def send(self, message: bytes) -> None:
        """Write one message; raises OSError where nobody reads any more."""
        _write(self.writing, len(message).to_bytes(_LENGTH, "little"))
        _write(self.writing, message)

    def receive(self) -> bytes:
        """Read one message; raises EOFError where the other side is gone."""
        return _read(self.reading, int.from_bytes(_read(self.reading, _LENGTH), "little"))

    def close(self) -> None:
        """Close both."""
        os.close(self.reading)
        os.close(self.writing)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _read(descriptor: int, size: int) -> bytes:
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        count = os.readv(descriptor, [view])
        if not count:
            raise EOFError
        view = view[count:]
    return bytes(buffer)


def _pair() -> tuple[Ends, Ends]:
    """Two sides; what one writes the other reads. Neither is inherited by other programs."""
    there, near = os.pipe()
    back, far = os.pipe()
    return Ends(back, near), Ends(there, far)


class Child:
    """A process that runs `serve` with its side of the pipes, and ends with it. `others` are
    descriptors that only the parent has use for: while a copy of them is open, other children would
    not see the end of the parent.
    """

    def __init__(self, serve: Callable[[Ends], None], others: Iterable[Child] = ()) -> None:
        self.ends, far = _pair()
        self.pid = os.fork()
        if self.pid == 0:
            _live(serve, far, [self.ends, *(other.ends for other in others)])
        far.close()
        self.code: int | None = None

    def join(self) -> int:
        """Wait for its end; gives the exit status, negative for a signal."""
        if self.code is None:
            _, status = os.waitpid(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def signal(self, number: int) -> None:
        """Send a signal, unless its end was seen already."""
        if self.code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def end(self) -> None:
        """End it at once; it has nothing to lose."""
        self.signal(signal.SIGKILL)
        self.ends.close()
        self.join()


def _live(serve: Callable[[Ends], None], far: Ends, copies: Iterable[Ends]) -> NoReturn:
    """The life of the child. It leaves without unwinding what the parent was doing."""
    status = 1
    try:
        for copy in copies:
            copy.close()
        serve(far)
        status = 0
    finally:
        os._exit(status)


# Bytes of early messages kept for all workers together. A task's alerts are a few megabytes at the
# most.
_EARLY_BYTES = 24 * 1024 * 1024

_encode = msgspec.msgpack.Encoder().encode
_decode_message = msgspec.msgpack.Decoder(Message).decode
# How a message with alerts begins: a map whose first member is the tag (msgspec's tagged structs).
_ALERTS = _encode(Alerts([]))[: -len(_encode("alerts") + _encode([]))]
_decode_task = msgspec.msgpack.Decoder(Task).decode


def _serve(plan: Plan, ends: Ends) -> None:
    """The life of a worker: it ends when the parent closes the pipe, or is gone."""
    worker = ScanWorker(plan)

    def stop(*_: object) -> None:
        worker.stopping = True

    signal.signal(signal.SIGINT, stop)
    with suppress(EOFError, OSError):
        while True:
            task = _decode_task(ends.receive())
            try:
                for message in worker.run(task):
                    ends.send(_encode(message))
            except OSError:
                raise
            except Exception as broken:  # a traceback on the way out could show what was scanned
                ends.send(_encode(Failed(place_of(broken))))


class _Hand:
    """One worker process and the task it has."""

    def __init__(self, plan: Plan, others: list[_Hand]) -> None:
        self.child: Child = Child(partial(_serve, plan), [other.child for other in others])
        self.task: Task | None = None

    def give(self, task: Task) -> None:
        self.task = task
        try:
            self.child.ends.send(_encode(task))
        except OSError:
            self._died()

    def receive(self) -> Message | bytes:
        """The next message; alerts as they came, since decoded they take several times the
        memory.
        """
        try:
            data = self.child.ends.receive()
        except (EOFError, OSError):
            self._died()
        if data.startswith(_ALERTS):
            return data
        message: Message = _decode_message(data)
        if isinstance(message, Failed):
            raise WorkerError(f"{message.reason} while scanning {describe(self._held())}")
        return message

    def _held(self) -> Task:
        assert self.task is not None
        return self.task

    def _died(self) -> NoReturn:
        code = self.child.join()
        how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
        raise WorkerError(f"a worker process {how} while scanning {describe(self._held())}")


class Pool:
    """Runs tasks in `jobs` processes; a context manager."""

    def __init__(self, plan: Plan, jobs: int) -> None:
        self._hands: list[_Hand] = []
        for _ in range(jobs):
            self._hands.append(_Hand(plan, self._hands))
        self._early: dict[int, deque[Message | bytes]] = {}
        self._early_bytes = 0

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for hand in self._hands:  # all are told before one is waited for: they end side by side
            hand.child.signal(signal.SIGKILL)
        for hand in self._hands:
            hand.child.end()

    def stop(self) -> None:
        """Have every worker give what it has found and read no further; safe in a signal
        handler.
        """
        for hand in self._hands:
            hand.child.signal(signal.SIGINT)

    def run(self, tasks: Iterator[Task]) -> Iterator[tuple[Task, Message]]:
        """Every task's messages, in the order of the tasks. Once: workers end when there is nothing
        more for them.
        """
        waiting: deque[Task] = deque()
        while True:
            self._hand_out(tasks, waiting)
            if not waiting:
                return
            yield from self._current(tasks, waiting)

    def _hand_out(self, tasks: Iterator[Task], waiting: deque[Task]) -> None:
        for hand in self._hands:
            # Two tasks ahead of each worker are enough to keep it busy; more would only fill
            # memory.
            if hand.task is None and len(waiting) < 3 * len(self._hands):
                task = next(tasks, None)
                if task is None:
                    hand.child.signal(
                        signal.SIGKILL
                    )  # its memory is given back while the others are at work
                    continue
                waiting.append(task)
                self._early[task.index] = deque()
                hand.give(task)

    def _current(
        self, tasks: Iterator[Task], waiting: deque[Task]
    ) -> Iterator[tuple[Task, Message]]:
        """The messages of the first task that is not finished."""
        task = waiting.popleft()
        queue = self._early[task.index]
        while True:
            while queue:
                message = queue.popleft()
                if isinstance(message, bytes):
                    self._early_bytes -= len(message)
                    message = _decode_message(message)
                yield task, message
                if isinstance(message, Done):
                    del self._early[task.index]
                    return
            self._receive(task)
            self._hand_out(tasks, waiting)

    def _receive(self, current: Task) -> None:
        full = self._early_bytes >= _EARLY_BYTES
        hands = {
            h.child.ends.reading: h
            for h in self._hands
            if h.task is not None and (not full or h.task is current)
        }
        ready = select.poll()
        for descriptor in hands:
            ready.register(descriptor, select.POLLIN)
        for descriptor, _ in ready.poll():
            hand = hands[descriptor]
            task = hand.task
            assert task is not None
            message = hand.receive()
            self._early[task.index].append(message)
            if isinstance(message, bytes):
                self._early_bytes += len(message)
            elif isinstance(message, Done):
                hand.task = None
