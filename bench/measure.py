"""What work costs: wall time, CPU time and peak memory of separate processes.

The clock starts when every process has imported what it needs and is ready, so that the comparison is of the
work and not of how fast Python starts.
"""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from workload.used import peak_memory

Result = TypeVar("Result")
Prepare = Callable[..., Callable[[], Result]]
"""A module's function that imports and prepares, and returns the work to measure."""


class BenchError(Exception):
    """A bench cannot finish; the message says why."""


@dataclass(frozen=True)
class Cost:
    """What processes took together: wall and CPU seconds, and the sum of their peak memories in bytes."""

    seconds: float
    cpu: float
    memory: int


@dataclass(frozen=True)
class Measured(Generic[Result]):
    """What each process returned, and what all of them cost."""

    results: list[Result]
    cost: Cost


def measure(prepare: Prepare[Result], arguments: Sequence[tuple[Any, ...]] = ((),)) -> Measured[Result]:
    """Run `prepare(*arguments)` in one new process for each element, then time the work of all at once.

    :raises BenchError: when one of them fails.
    """
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in arguments]
    processes = [
        context.Process(target=_child, args=(there, prepare, given), daemon=True)
        for (_, there), given in zip(pipes, arguments, strict=True)
    ]
    ends = [here for here, _ in pipes]
    try:
        for process, (_, there) in zip(processes, pipes, strict=True):
            process.start()
            there.close()
        for end in ends:
            _answer(end)
        started = time.perf_counter()
        for end in ends:
            end.send("go")
        answers = [_answer(end) for end in ends]
        seconds = time.perf_counter() - started
    finally:
        for process in processes:
            if process.is_alive():
                process.join(5)
                process.kill()
    results, cpu, memory = zip(*answers, strict=True)
    return Measured(list(results), Cost(seconds, sum(cpu), sum(memory)))


def load(*modules: str) -> None:
    """Import modules that the work would import, before the clock starts."""
    for module in modules:
        import_module(module)


def _child(pipe: Connection, prepare: Prepare[Any], arguments: tuple[Any, ...]) -> None:
    work = prepare(*arguments)
    pipe.send(None)
    pipe.recv()
    before = time.process_time()
    result = work()
    pipe.send((result, time.process_time() - before, peak_memory()))


def _answer(pipe: Connection) -> Any:
    try:
        return pipe.recv()
    except EOFError:
        raise BenchError("a process of the bench has failed; what it says stands above") from None
