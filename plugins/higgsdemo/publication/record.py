"""What the run's campaign.json says to those who come after `plan`, which writes it."""

from typing import Any

from pydantic import AwareDatetime, BaseModel, TypeAdapter

from higgsdemo.prediction import Account
from higgsdemo.publication.summary import Text


class MadeBy(BaseModel):
    """The DAG run that has planned a run first."""

    dag_run: str


class RunRecord(BaseModel):
    """The part of campaign.json that is read again.

    :param planned: when; what was finished before is the work of a run that it resumes.
    :param datasets: names of all of the run's datasets.
    :param predicted: what the run should take.
    :param conf: what its trigger has chosen of the work; a run that resumes it goes on with that.
    :param remarks: what `plan` has found that a person should know.
    """

    planned: AwareDatetime | None = None
    airflow: MadeBy | None = None
    datasets: tuple[str, ...] = ()
    predicted: Account | None = None
    conf: dict[str, Any] = {}
    remarks: list[Text] = []


RUN_RECORD = TypeAdapter(RunRecord)
