"""Worker processes among which tasks are shared out.

They are forked: they know what this process has read, and only tasks and answers go between them. An interrupt is for
this process, which then ends its workers, wherever they are; and a worker ends when this process is no more.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

Task = TypeVar("Task")
Answer = TypeVar("Answer")

Work = Callable[[Task], Answer]
"""What a worker does with a task."""


class WorkerError(RuntimeError):
    """An error of the program in a worker; the text is the worker's traceback."""


@dataclass(frozen=True)
class Done(Generic[Task, Answer]):
    """A task and its answer."""

    task: Task
    answer: Answer


@dataclass(frozen=True)
class Died(Generic[Task]):
    """A task without an answer: the process that worked on it has died, and its exit code."""

    task: Task
    code: int | None


class _Worker(Generic[Task, Answer]):
    """A process, and the task that it works on.

    Args:
        start: called once in the process; gives what it does with a task.
        others: the connections of other workers, which the process must not hold open.
    """

    def __init__(self, start: Callable[[], Work[Task, Answer]], others: Sequence[Connection]) -> None:
        context = get_context("fork")
        self.connection, its = context.Pipe()
        self.task: Task | None = None
        self._process = context.Process(target=_serve, args=(start, its, [*others, self.connection]), daemon=True)
        held_back = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with warnings.catch_warnings():  # of threads that do not concern the worker, such as the progress line's
                warnings.simplefilter("ignore", DeprecationWarning)
                self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held_back)
        its.close()

    def take(self, task: Task) -> None:
        """Begin with a task."""
        self.task = task
        with suppress(BrokenPipeError, ConnectionResetError):  # it has died: `finished` finds that out
            self.connection.send(task)

    def finished(self) -> Done[Task, Answer] | Died[Task]:
        """The answer that has come, or that there will be none.

        Raises:
            WorkerError: the task has met an error.
        """
        task = self.task
        assert task is not None
        self.task = None
        try:
            answer, error = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join()
            return Died(task, self._process.exitcode)
        if error is not None:
            raise WorkerError(error)
        return Done(task, answer)

    def end(self) -> None:
        """Kill the process, if it is there."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def share_out(
    start: Callable[[], Work[Task, Answer]], tasks: deque[Task], workers: int
) -> Generator[Done[Task, Answer] | Died[Task], None, None]:
    """The answers to tasks, in the order in which they come.

    However this ends, by an interrupt too, the workers are ended with it.

    Args:
        start: called once in each worker; gives what it does with a task.
        tasks: taken from the left. More may be added while answers come.
        workers: how many processes there are at most.

    Raises:
        WorkerError: a task has met an error.
    """
    pool: list[_Worker[Task, Answer]] = []
    try:
        while True:
            while tasks:
                free = next((worker for worker in pool if worker.task is None), None)
                if free is None:
                    if len(pool) == workers:
                        break
                    free = _Worker(start, [worker.connection for worker in pool])
                    pool.append(free)
                free.take(tasks.popleft())
            busy = {worker.connection: worker for worker in pool if worker.task is not None}
            if not busy:
                return
            for ready in wait(list(busy)):
                worker = next(worker for connection, worker in busy.items() if connection is ready)
                event = worker.finished()
                if isinstance(event, Died):
                    worker.end()
                    pool.remove(worker)
                yield event
    finally:
        for worker in pool:
            worker.end()


def _serve(start: Callable[[], Work[Task, Answer]], connection: Connection, inherited: Sequence[Connection]) -> None:
    """What a worker does: it answers tasks until its process is killed, or the other one is no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for other in inherited:
        other.close()
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, tasks), daemon=True).start()
    try:
        work = start()
        while True:
            connection.send((work(tasks.get()), None))
    except Exception:
        connection.send((None, traceback.format_exc()))


def _listen(connection: Connection, tasks: queue.SimpleQueue[Task]) -> None:
    """Take tasks in. Beside the work, so that the end of the other process is noticed in the midst of it."""
    try:
        while True:
            tasks.put(connection.recv())
    except (EOFError, OSError):
        os._exit(1)
