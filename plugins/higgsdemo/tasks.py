"""The tasks of a campaign's DAG, in their order: ids and stages; `tasks.md` says what each of them does."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

Stage = Literal["create", "prepare", "submit", "cleanup"]
STAGES: tuple[Stage, ...] = get_args(Stage)

_TEXT = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
_SECTIONS = dict(re.findall(r"^## (\w+)\n\n(.+?)\n*(?=^##|\Z)", _TEXT, re.MULTILINE | re.DOTALL))


@dataclass(frozen=True)
class Task:
    """A task, or the group of those that each cluster has.

    :param task_id: its id in the DAG.
    :param stage: skipped where a run leaves this stage out; None for what every run does.
    :param short: its name on the page, if not its own.
    """

    task_id: str
    stage: Stage | None = None
    short: str = ""

    @property
    def name(self) -> str:
        """Its id inside of its group."""
        return self.task_id.rpartition(".")[2]

    @property
    def label(self) -> str:
        """What the page calls it."""
        return self.short or self.name.replace("_", " ")

    @property
    def doc(self) -> str:
        """What it does, in Markdown for Airflow's web interface."""
        return " ".join(_SECTIONS[self.name].split())

    @property
    def arguments(self) -> dict[str, Any]:
        """What an operator is given of it."""
        return {"task_id": self.name, "doc_md": self.doc}


PLAN = Task("plan")
CLUSTER = Task("cluster")
CREATE = Task("cluster.create_cluster", "create", "create")
PREPULL = Task("cluster.prepull_image", "prepare", "pull image")
LIST = Task("cluster.list_dataset_shards", "submit", "list shards")
SUBMIT = Task("cluster.submit_jobs", "submit", "submit")
WAIT = Task("cluster.wait_for_jobs", "submit", "run")
MERGE = Task("merge_results")
PLOT = Task("plot")
CHOOSE = Task("choose_cleanup")
KEEP = Task("keep")
CLEAN = Task("cleanup_jobs", "cleanup")
DELETE = Task("delete_clusters", "cleanup")
STATUS = Task("campaign_status")

STEPS = (CREATE, PREPULL, LIST, SUBMIT, WAIT)
"""The tasks of the group."""

TASKS = (PLAN, *STEPS, MERGE, PLOT, CHOOSE, KEEP, CLEAN, DELETE, STATUS)
OUTLINE = (PLAN, CLUSTER, MERGE, PLOT, CLEAN, DELETE, STATUS)
"""A run in the fewest words, as the page shows it."""


def dag_doc(description: str) -> str:
    """Return the documentation of the DAG of a campaign that is described so."""
    return f"{description}\n\n{_SECTIONS['dag']}\n"
