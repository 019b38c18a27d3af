"""Worker processes: tasks run in parallel, their messages are yielded in the order of the tasks.

    tasks ─> Pool ──pipe──> _Process ─ fork ─> ScanWorker.run
               <──pipe──  Alerts, Alerts, Done
    queue of task 0: yielded at once      queues of later tasks: wait, as bytes, up to _EARLY_BYTES

Promises: order and content are those of one process; a worker that dies is an error that names its
task; messages that arrive early wait in bounded memory, and a worker that is too far ahead waits on
its pipe; a message arrives whole or not at all. A worker never writes the parent's buffers a second
time and prints nothing when it fails. No worker outlives the parent for longer than its task.

Plain `fork` and pipes rather than `multiprocessing`: loading that takes as long as scanning 100 MB,
and every scan of more than a few megabytes would wait for it.
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

# Bytes of a message's length, which is sent before it.
_LENGTH = 4


class Ends(msgspec.Struct, frozen=True):
    """One side of a pair of pipes: descriptors to read from and to write to."""

    reading: int
    writing: int

    def send(self, message: bytes) -> None:
        """Write a message. Raises OSError when the other side is gone."""
        _write(self.writing, len(message).to_bytes(_LENGTH, "little"))
        _write(self.writing, message)

    def receive(self) -> bytes:
        """Read a message. Raises EOFError when the other side is gone."""
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
    """Two connected sides. Neither is inherited by programs that are executed."""
    there, near = os.pipe()
    back, far = os.pipe()
    return Ends(back, near), Ends(there, far)


class Child:
    """A process that runs `serve` with its side of the pipes, and ends with it.

    `others` are the children that were started before. The fork copies the parent's descriptors for
    them; while a copy is open, those children would not notice that the parent is gone.
    """

    def __init__(self, serve: Callable[[Ends], None], others: Iterable[Child] = ()) -> None:
        self.ends, far = _pair()
        self.pid = os.fork()
        if self.pid == 0:
            _run_child(serve, far, [self.ends, *(other.ends for other in others)])
        far.close()
        self.code: int | None = None

    def join(self) -> int:
        """Wait for the end; returns the exit status, or the negative number of the signal."""
        if self.code is None:
            _, status = os.waitpid(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def signal(self, number: int) -> None:
        """Send a signal, unless the process is known to be gone."""
        if self.code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def end(self) -> None:
        """Kill the process: it holds nothing that must be saved."""
        self.signal(signal.SIGKILL)
        self.ends.close()
        self.join()


def _run_child(serve: Callable[[Ends], None], far: Ends, copies: Iterable[Ends]) -> NoReturn:
    """Run in the child, and never return."""
    status = 1
    try:
        for copy in copies:
            copy.close()
        serve(far)
        status = 0
    finally:
        # Not sys.exit: unwinding would run the parent's `finally` blocks, and flush its buffers,
        # in the child too.
        os._exit(status)


# Bytes of early messages that wait, of all workers together. A task's alerts are a few megabytes at
# the most.
_EARLY_BYTES = 24 * 1024 * 1024

_encode = msgspec.msgpack.Encoder().encode
_decode_message = msgspec.msgpack.Decoder(Message).decode
# How a message with alerts begins: a map whose first member is the tag (msgspec's tagged structs).
_ALERTS = _encode(Alerts([]))[: -len(_encode("alerts") + _encode([]))]
_decode_task = msgspec.msgpack.Decoder(Task).decode


def _serve(plan: Plan, ends: Ends) -> None:
    """Run tasks in a worker until the parent closes the pipe or is gone."""
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
            except Exception as broken:  # of any kind: a traceback could show what was scanned
                ends.send(_encode(Failed(place_of(broken))))


class _Process:
    """A worker process and the task that it works on."""

    def __init__(self, plan: Plan, others: list[_Process]) -> None:
        self.child: Child = Child(partial(_serve, plan), [other.child for other in others])
        self.task: Task | None = None

    def start(self, task: Task) -> None:
        self.task = task
        try:
            self.child.ends.send(_encode(task))
        except OSError:
            self._died()

    def receive(self) -> Message | bytes:
        """The next message. Alerts stay encoded: decoded they need several times the memory."""
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
        self._processes: list[_Process] = []
        for _ in range(jobs):
            self._processes.append(_Process(plan, self._processes))
        self._early: dict[int, deque[Message | bytes]] = {}
        self._early_bytes = 0

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        # Signal all before waiting for the first: they end in parallel.
        for process in self._processes:
            process.child.signal(signal.SIGKILL)
        for process in self._processes:
            process.child.end()

    def stop(self) -> None:
        """Let every worker send what it has found and read no further; safe in a signal handler."""
        for process in self._processes:
            process.child.signal(signal.SIGINT)

    def run(self, tasks: Iterator[Task]) -> Iterator[tuple[Task, Message]]:
        """Yield every task's messages, in the order of the tasks. Can be called once: a worker
        ends when there is no task left for it.
        """
        waiting: deque[Task] = deque()
        while True:
            self._start_tasks(tasks, waiting)
            if not waiting:
                return
            yield from self._current(tasks, waiting)

    def _start_tasks(self, tasks: Iterator[Task], waiting: deque[Task]) -> None:
        for process in self._processes:
            # Two tasks ahead of each worker are enough to keep it busy; more would only fill
            # memory.
            if process.task is None and len(waiting) < 3 * len(self._processes):
                task = next(tasks, None)
                if task is None:
                    # Frees its memory while the others still work.
                    process.child.signal(signal.SIGKILL)
                    continue
                waiting.append(task)
                self._early[task.index] = deque()
                process.start(task)

    def _current(
        self, tasks: Iterator[Task], waiting: deque[Task]
    ) -> Iterator[tuple[Task, Message]]:
        """Yield the messages of the first task that is not finished."""
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
            self._start_tasks(tasks, waiting)

    def _receive(self, current: Task) -> None:
        # When early messages fill their memory, only the current task is read: the other workers
        # block on their full pipes. The current one never waits, so the scan cannot lock up.
        full = self._early_bytes >= _EARLY_BYTES
        processes = {
            process.child.ends.reading: process
            for process in self._processes
            if process.task is not None and (not full or process.task is current)
        }
        ready = select.poll()
        for descriptor in processes:
            ready.register(descriptor, select.POLLIN)
        for descriptor, _ in ready.poll():
            process = processes[descriptor]
            task = process.task
            assert task is not None
            message = process.receive()
            self._early[task.index].append(message)
            if isinstance(message, bytes):
                self._early_bytes += len(message)
            elif isinstance(message, Done):
                process.task = None
