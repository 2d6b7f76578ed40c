"""How often a task is retried: a few times after its own errors, far more often after being killed.

Airflow counts each start of a task as a try, including those that ended because the scheduler, worker or
machine did. If every other try is killed, one task in sixteen would use up four that way.
"""

from datetime import timedelta
from typing import Any, cast

from airflow.sdk import Context, RetryDecision, RetryPolicy

ERRORS = 4  # of its own, after which a task is given up
FAILED = "failed_tries"  # key of the task's own store, which its tries share


class ErrorsOfItsOwn(RetryPolicy):
    """Gives a task up after some errors; Airflow does not ask it about a task that was killed."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        if context is None:
            return RetryDecision.default()
        cleared_after = max_tries - cast("int", context["task"].retries)  # 0, or the last try before that
        store = context["task_state_store"]
        failed = [*cast("list[int]", store.get(FAILED, [])), try_number]
        failed = [number for number in failed if number > cleared_after]
        store.set(FAILED, cast("Any", failed))
        if len(failed) >= ERRORS:
            return RetryDecision.fail(f"it has failed {len(failed)} times")
        return RetryDecision.retry()


RETRIES: dict[str, Any] = {
    "retries": 15,  # if every other try is killed, one task in 65,000 needs more
    "retry_policy": ErrorsOfItsOwn(),
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=2),
}
