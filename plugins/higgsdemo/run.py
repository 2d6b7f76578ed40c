"""One run of a campaign, and one cluster's part in it: what the tasks of a DAG run hand to each other.

The planned run travels through XCom, so it holds settings and names only: never a credential, and nothing
that grows with the number of shards.
"""

import hashlib
import re
from contextlib import suppress
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from higgsdemo.campaign import Cluster
from higgsdemo.campaign.fields import RunName
from higgsdemo.campaign.rule import PLANNED
from higgsdemo.campaign.settings import Settings
from higgsdemo.run_folder import files_folder, results_folder
from higgsdemo.tasks import Stage
from higgsdemo.wording import ExplainedError, first_fault

GROWING = "growing"  # the name of the one run of a campaign over datasets that grow
_NAME = TypeAdapter(RunName)


class Run(Settings):
    """One run of a campaign.

    :param campaign: the DAG's id.
    :param name: names the run's jobs and its folder in the output bucket.
    :param output: the run's folder, ``<output>/<campaign>/<name>``.
    :param output_connection: Airflow connection that writes it.
    :param pod_endpoint: endpoint of the output's store as pods see it; None for the connection's.
    :param listed: `plan` has listed the datasets and split them over the clusters.
    :param pod_ca: PEM file, where this runs, of authorities that pods trust besides the public ones.
    :param live: Airflow connection of the Redis server that gets a copy of each result; None for none.
    :param airflow: name of its Airflow, which its clusters carry; None in runs of earlier versions.
    :param begun: when it had not to wait any longer for another run of its campaign.
    """

    model_config = ConfigDict(strict=False)

    campaign: str
    name: str
    image: str
    stage_in_image: str
    output: str
    output_connection: str
    pod_endpoint: str | None
    stages: tuple[Stage, ...]
    resume: bool
    listed: bool = False
    pod_ca: str | None = None
    live: str | None = None
    airflow: str | None = None
    begun: datetime | None = None

    def files(self, dataset: str) -> str:
        """Return the URL below which a command's files of ``dataset`` go."""
        return f"{self.output}/{files_folder(dataset)}"

    def results(self, dataset: str) -> str:
        """Return the URL below which the pods leave the results of ``dataset``."""
        return f"{self.output}/{results_folder(dataset)}"


FORMAT = 2  # of a ClusterRun; raised when code that does not know a new field would do something wrong


class PlanError(ExplainedError, TypeError):
    """This version of the project cannot go on with a planned run; the message says what to do.

    A TypeError is what Airflow's triggerer takes for the end of one trigger; others end it, and all waits.
    """

    final = True


class ClusterRun(BaseModel):
    """One cluster's part of a run: an element that the cluster task group is mapped over.

    It outlives an upgrade in XCom and in the triggerer's table: new fields have a default, here and below, so
    that newer code reads what older code has planned.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    run: Run
    cluster: Cluster

    @classmethod
    def read(cls, document: Any) -> Self:
        """Return what any version of the project has planned, ignoring unknown fields; raise PlanError."""
        try:
            if (found := dict(document).get("format", FORMAT)) > FORMAT:
                raise ValueError(f"format is {found}, and {FORMAT} the newest that is known here")
            return cls.model_validate(document, extra="ignore", context=PLANNED)
        except (TypeError, ValueError) as error:
            why = first_fault(error) if isinstance(error, ValidationError) else str(error)
            raise PlanError(
                f"the run was planned by a version of this project that this one cannot read ({why}): "
                "give all parts of Airflow one version, then clear plan and what follows; what is done stays "
                "done"
            ) from None


def run_name(run_id: str, start: datetime) -> str:
    """Return the name of a run that was given none: its id, where that can be one.

    Else, as for the ids that Airflow makes, its start, and four digits that tell its run id.

    >>> run_name("keynote", datetime(2026, 1, 2)), run_name("manual__1", datetime(2026, 1, 2, 3, 4, 5))
    ('keynote', '20260102t030405-9ac4')
    """
    with suppress(ValidationError):
        return _NAME.validate_python(run_id)
    return f"{start:%Y%m%dt%H%M%S}-{hashlib.sha256(run_id.encode()).hexdigest()[:4]}"


def dns_label(text: str, limit: int) -> str:
    """Return ``text`` as a DNS label (RFC 1123) of at most ``limit`` characters."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:limit].rstrip("-")
