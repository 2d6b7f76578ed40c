"""However a campaign and its trigger's conf are written, the run is planned or refused in one message."""

import os
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from higgsdemo.campaign import CampaignError, parse_campaign
from higgsdemo.operators.base import TaskFailed, TaskFailedForGood
from higgsdemo.operators.plan import PlanOperator
from higgsdemo.publication.summary import RunRecord
from higgsdemo.run import ClusterRun
from planned_runs import ALONE
from written_campaigns import CONF, VALID, damaged

EXAMPLES = int(os.environ.get("GENERATED", "100"))  # `make damaged` takes 2,000
RUN = {
    "dag_id": "any",
    "run_id": "manual__1",
    "run_after": datetime(2026, 1, 2, tzinfo=UTC),
    "start_date": None,
}


class Plan(PlanOperator):
    """The task ``plan``, which here asks for no bucket."""

    def _full_conf(self, dag_id: str, conf: dict[str, Any]) -> dict[str, Any]:
        return conf

    def _claim(self, *_: Any) -> Any:
        return SimpleNamespace(list=lambda _: []), RunRecord()  # a folder without results

    def _split(self, run: Any, shared: Any, clusters: Any, *_: Any) -> Any:
        return clusters, None

    def _keep(self, *_: Any) -> None:
        pass


@settings(max_examples=EXAMPLES)
@given(st.just(VALID) | damaged(VALID), st.just(CONF) | st.just({}) | damaged(CONF))
def test_any_campaign_and_conf_make_a_plan_or_one_clear_message(document: Any, conf: Any) -> None:
    try:
        campaign = parse_campaign(document, "any.json")
        task = Plan(task_id="plan", campaign=campaign)
        planned = task.execute({"dag_run": SimpleNamespace(**RUN, conf=conf), "ti": ALONE})  # type: ignore[typeddict-item]
    except (CampaignError, TaskFailed, TaskFailedForGood) as error:
        message = str(error)
        assert message.startswith(("any.json", "trigger conf", "campaign"))
        assert "Traceback" not in message
        return
    assert [ClusterRun.model_validate(assignment) for assignment in planned]
