"""Why a task has failed, kept with it in Airflow: its log is many clicks away from the run's page."""

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException

from higgsdemo.wording import LONGEST_MESSAGE, ExplainedError, printable

REASON = "reason"  # key of the task's XCom, which Airflow drops when the task runs again
LONGEST_REASON = 4000  # characters


def keep_reason(context: Context) -> None:
    """Keep what has ended a try: the callback of tasks that fail, or are tried again."""
    error = context.get("exception")
    if isinstance(error, Exception):  # a killed task is reported elsewhere
        explained = isinstance(error, AirflowException | ExplainedError)
        text = str(error) if explained else f"{type(error).__name__}: {error}"
        lines = (printable(line, LONGEST_MESSAGE) for line in text.splitlines())
        context["ti"].xcom_push(REASON, "\n".join(lines)[:LONGEST_REASON])


def cause(task_id: str, cluster: str | None, reason: str | None) -> str:
    """Say which task has failed, on which cluster, and why."""
    task = task_id.rpartition(".")[2]
    why = reason or "its log says why"
    return f"{task} of {cluster}: {why.removeprefix(f'cluster {cluster}: ')}" if cluster else f"{task}: {why}"
