"""Memory and processor time of Airflow's components while a campaign runs.

Memory is the proportional set size, which counts a page shared by forked processes in parts, so that the sum
over processes is what the machine really gives.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
from rich.table import Table

from demo.supervision import Supervision

EVERY = 2.0  # s between two samples: the kernel adds up the memory of every process anew
MB = 1e6
AIRFLOW = ("scheduler", "workers", "dag-processor", "triggerer")
"""The components whose memory is added up; the web server is listed apart."""


@dataclass
class Usage:
    """One component's peak memory in bytes, and the processor time in seconds of its processes."""

    peak: float = 0.0
    seconds: float = 0.0


class Components:
    """Samples the services in a thread."""

    def __init__(self, supervision: Supervision) -> None:
        self._supervision = supervision
        self._used: dict[int, tuple[str, float]] = {}
        self._ended = threading.Event()
        self.usage: dict[str, Usage] = {}
        self.together = Usage()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Sample while this context lasts."""
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def table(self) -> Table:
        """Return the peaks, one component per line."""
        table = Table(box=None, padding=(0, 2), header_style="dim")
        for column in ("component", "peak MB", "CPU s"):
            table.add_column(column, justify="left" if column == "component" else "right")
        for name, usage in self.usage.items():
            table.add_row(name, f"{usage.peak / MB:.0f}", f"{usage.seconds:.0f}")
        table.add_row(f"{', '.join(AIRFLOW)} together", f"{self.together.peak / MB:.0f}", "", style="bold")
        return table

    def _watch(self) -> None:
        while not self._ended.wait(EVERY):
            self._look()

    def _look(self) -> None:
        now: dict[str, float] = {}
        for state in self._supervision.states():
            if not state.pid:
                continue
            with contextlib.suppress(psutil.Error):
                service = psutil.Process(state.pid)
                below = "workers" if state.name == "scheduler" else state.name
                self._add(now, state.name, service)
                for process in service.children(recursive=True):
                    self._add(now, below, process)
        for name, memory in now.items():
            usage = self.usage.setdefault(name, Usage())
            usage.peak = max(usage.peak, memory)
            usage.seconds = sum(seconds for of, seconds in self._used.values() if of == name)
        self.together.peak = max(self.together.peak, sum(now.get(name, 0.0) for name in AIRFLOW))

    def _add(self, now: dict[str, float], name: str, process: psutil.Process) -> None:
        with contextlib.suppress(psutil.Error):
            memory = process.memory_full_info()
            now[name] = now.get(name, 0.0) + getattr(memory, "pss", memory.rss)
            times = process.cpu_times()
            self._used[process.pid] = (name, times.user + times.system)
