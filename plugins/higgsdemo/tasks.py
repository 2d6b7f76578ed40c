"""The tasks of a campaign's DAG, in their order: ids, stages, and their descriptions for people."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

Stage = Literal["create", "prepare", "submit", "cleanup"]
STAGES: tuple[Stage, ...] = get_args(Stage)


@dataclass(frozen=True)
class Task:
    """A task, or the group of those that each cluster has.

    :param task_id: its id in the DAG.
    :param doc: what it does, in Markdown for Airflow's web interface.
    :param stage: skipped where a run leaves this stage out; None for what every run does.
    :param short: its name on the page, if not its own.
    """

    task_id: str
    doc: str
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
    def arguments(self) -> dict[str, Any]:
        """What an operator is given of it."""
        return {"task_id": self.name, "doc_md": self.doc}


PLAN = Task(
    "plan",
    "Waits until no other run of the campaign is active, applies the trigger's conf to the campaign's "
    "file, finds the datasets in the catalogue and writes the result to `campaign.json` in the run's "
    "folder, with a prediction of what the run takes. Datasets given for the whole campaign are listed "
    "and split over the clusters. It fails on a misspelt key or an impossible mapping, before anything "
    "is created.",
)
CLUSTER = Task(
    "cluster", "One cluster: create it, pull the image, list the files, submit the jobs, wait for them"
)
CREATE = Task(
    "cluster.create_cluster",
    "Asks the provider for the cluster and waits, without a worker, until it runs. An existing one of "
    "the same shape is adopted; another shape is an error that names the difference.",
    "create",
    "create",
)
PREPULL = Task(
    "cluster.prepull_image",
    "Runs a DaemonSet whose init container is the campaign's image, and waits until every node has "
    "pulled it: the pods then start at once.",
    "prepare",
    "pull image",
)
LIST = Task(
    "cluster.list_dataset_shards",
    "Lists the files of the cluster's datasets in `shards/<cluster>.jsonl`. With *resume*, files that "
    "have a result already are marked as done.",
    "submit",
    "list shards",
)
SUBMIT = Task(
    "cluster.submit_jobs",
    "Creates one Indexed Job for each dataset, with the list of its files in a ConfigMap. Existing Jobs "
    "are adopted.",
    "submit",
    "submit",
)
WAIT = Task(
    "cluster.wait_for_jobs",
    "Waits, without a worker, until the Jobs have ended, more shards have failed than the campaign "
    "tolerates, or no pod has run for `max_idle_hours`; it warns of what keeps pods from running. The "
    "reasons of failed shards are in `failures/<cluster>.json`.",
    "submit",
    "run",
)
MERGE = Task(
    "merge_results",
    "Counts the result of every shard once, weights simulated events to the luminosity, fits the Higgs "
    "boson's signal, and writes `summary.json`, the numbers of the plot, and the same in the field's "
    "formats: `histograms.root`, `workspace.json` (pyhf), `datacard.txt` (Combine), `hepdata.yaml`. It runs "
    "even if clusters have failed.",
)
PLOT = Task(
    "plot",
    "Draws the four-lepton mass spectrum as `higgs.png` and `higgs.svg`, or the histograms of an "
    "analysis of one's own as `spectrum.png` and `spectrum.svg`, and updates the campaign's asset, on "
    "which other DAGs may be scheduled.",
)
CHOOSE = Task(
    "choose_cleanup",
    "Follows `keep` or `cleanup_jobs`, as the campaign or the trigger says. Before clusters in which "
    "shards still run are deleted, a run that was triggered by hand asks here (*Required Actions*).",
)
KEEP = Task("keep", "Leaves jobs and clusters as they are.")
CLEAN = Task(
    "cleanup_jobs",
    "Removes only objects with this campaign's labels from the cluster.",
    "cleanup",
)
DELETE = Task(
    "delete_clusters",
    "Deletes the cluster if the campaign created it and asks for it, and no other run works on it; a "
    "cloud that does not answer is asked again for hours.",
    "cleanup",
)
STATUS = Task(
    "campaign_status",
    "Fails the run when a cluster has failed, after everything has been cleaned up. Stops Jobs that nobody "
    "has waited for to their end, unless the campaign says `on_cancel: release`.",
)

STEPS = (CREATE, PREPULL, LIST, SUBMIT, WAIT)
"""The tasks of the group."""

TASKS = (PLAN, *STEPS, MERGE, PLOT, CHOOSE, KEEP, CLEAN, DELETE, STATUS)
OUTLINE = (PLAN, CLUSTER, MERGE, PLOT, CLEAN, DELETE, STATUS)
"""A run in the fewest words, as the page shows it."""


def dag_doc(description: str) -> str:
    """Return the documentation of the DAG of a campaign that is described so."""
    return f"""{description}

The tab **Campaign** of this DAG and of each of its runs shows the plot while it fills up, the progress of
every cluster and dataset, and why shards have failed.

1. `plan` applies what the run was triggered with.
2. The group `cluster` runs once for each cluster of the mapping, all at the same time: it creates the
   cluster, pulls the image, lists the files, submits one Indexed Job for each dataset and waits for them.
3. `merge_results` and `plot` make the mass spectrum of what there is, though clusters may have failed.
4. Then jobs or clusters are removed if the campaign or the trigger says so, and `campaign_status` fails the
   run if a cluster has failed.

**Trigger** works as it is. The form can run a part of it: some clusters, the first files of each dataset,
some stages. Credentials are never given there: they are Airflow connections.
"""
