"""When a run must end: ``max_hours`` after its start, whatever it waits for by then.

Airflow's own limits do not fit. A DAG run's time-out skips all remaining tasks; a task's counts from the
task's start; a deadline alert notifies somebody, and stops nothing. So each task that makes or waits for
something checks the clock itself, and cleanup, which does not, runs as after any failure.
"""

import time
from datetime import datetime

from higgsdemo.run import Run


def end(run: Run, started: datetime | None) -> float | None:
    """Return the end of a run that began at `started`, in seconds since 1970; None for no limit."""
    if run.max_hours is None or started is None:
        return None
    return max(started, run.begun or started).timestamp() + run.max_hours * 3600


def is_over(deadline: float | None) -> bool:
    """Return whether a deadline is over."""
    return deadline is not None and time.time() >= deadline


def too_late(run: Run) -> str:
    """Say why something ended before it was done."""
    return f"the run has taken the {run.max_hours:g} hours that its campaign allows (max_hours)"
