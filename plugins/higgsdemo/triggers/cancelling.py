"""Tell whether a task was ended by somebody, or goes on elsewhere, when Airflow removes its trigger.

Airflow calls ``on_kill`` of a trigger that is no longer needed: its task was marked or cleared. It also does
so when another triggerer has taken the trigger over, and a cleared task will soon wait for the same Jobs
again. Work is therefore stopped only if the task's state says that it has ended.
"""

import asyncio
from typing import Any

from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

ENDED = {"success", "failed", "skipped", "upstream_failed", "removed", "absent"}


async def has_ended(task_instance: Any) -> bool:
    """Return whether a trigger's task has ended for good; outside of Airflow there is none."""
    return task_instance is None or await asyncio.to_thread(_state, task_instance) in ENDED


def _state(task_instance: Any) -> str | None:
    """Return the task's state; None when it has been cleared, "absent" when its run was deleted."""
    run, index = task_instance.run_id, task_instance.map_index
    found = RuntimeTaskInstance.get_task_states(
        dag_id=task_instance.dag_id, task_ids=[task_instance.task_id], run_ids=[run], map_index=index
    )
    suffix = f"_{index}" if index >= 0 else ""  # Airflow's name of a mapped task's instance
    state: str | None = found.get(run, {}).get(f"{task_instance.task_id}{suffix}", "absent")
    return state
