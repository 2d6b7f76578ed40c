"""What the DAG and its tasks say of themselves in Airflow's web interface (Markdown)."""

from __future__ import annotations

from typing import Any

from higgsdemo.campaign import Campaign

TASKS = {
    "plan": (
        "Waits until no other run of the campaign goes on, applies what the run was triggered with to the "
        "campaign's file, finds the datasets in the catalogue and keeps the outcome in `campaign.json` of "
        "the run's folder, with what the run should take. Datasets given for the whole campaign are listed "
        "and split over the clusters. It fails on a misspelt key or an impossible mapping, before anything "
        "is made."
    ),
    "create_cluster": (
        "Asks the provider for the cluster and waits, without a worker, until it runs. One that is there "
        "with the same shape is adopted; one of another shape is an error that names the difference."
    ),
    "prepull_image": (
        "Runs a DaemonSet whose init container is the campaign's image, and waits until every node has "
        "pulled it: the pods then start at once."
    ),
    "list_dataset_shards": (
        "Lists the files of the cluster's datasets and keeps them in `shards/<cluster>.jsonl`. With "
        "*resume*, files that have a result already are marked as done."
    ),
    "submit_jobs": (
        "Creates one Indexed Job for each dataset, with the list of its files in a ConfigMap. Doing it "
        "again adopts what is there."
    ),
    "wait_for_jobs": (
        "Waits, without a worker, until the Jobs have ended, more shards have failed than the campaign "
        "tolerates, or no pod has run for `max_idle_hours`; it warns of what keeps pods from running. Why "
        "shards failed is kept in `failures/<cluster>.json`."
    ),
    "merge_results": (
        "Counts the result of every shard once, weights simulated events to the luminosity, fits the Higgs "
        "boson's signal, and writes `summary.json`, the numbers of the plot, and the same in the field's "
        "formats: `histograms.root`, `workspace.json` (pyhf), `hepdata.yaml`. It runs though clusters may "
        "have failed."
    ),
    "plot": (
        "Draws the four-lepton mass spectrum as `higgs.png` and `higgs.svg`, or the histograms of an "
        "analysis of one's own as `spectrum.png` and `spectrum.svg`, and tells those who wait for the "
        "asset of this campaign that a new spectrum is there."
    ),
    "choose_cleanup": (
        "Follows `keep` or `cleanup_jobs`, as the campaign or the trigger says. Before clusters in which "
        "shards still run are deleted, a run that was triggered by hand asks here (*Required Actions*)."
    ),
    "keep": "Leaves jobs and clusters as they are.",
    "cleanup_jobs": "Removes what bears the labels of this campaign from the cluster, and nothing else.",
    "delete_clusters": (
        "Deletes the cluster if the campaign asks for it and has made it, and no other run works on it; a "
        "cloud that does not answer is asked for hours."
    ),
    "campaign_status": "Fails the run when a cluster has failed, after everything has been cleaned up.",
}
"""What each task does, by its id."""

CLUSTER = "One cluster: create it, pull the image, list the files, submit the jobs, wait for them"


def dag_doc(campaign: Campaign) -> str:
    """Return the documentation of a campaign's DAG."""
    return f"""{campaign.description}

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


def named(task_id: str) -> dict[str, Any]:
    """Return the arguments that give a task its id and its documentation."""
    return {"task_id": task_id, "doc_md": TASKS[task_id]}
