"""``plan``: combine the campaign's file and the trigger's conf into one run, cluster by cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseOperator, Context

from higgsdemo.campaign import (
    Campaign,
    CampaignError,
    Cluster,
    DatasetRef,
    RunOptions,
    apply_conf,
    chosen_work,
    placed_datasets,
)
from higgsdemo.campaign.fields import CLOUDS
from higgsdemo.campaign.settings import Settings
from higgsdemo.catalogue import load_catalogue
from higgsdemo.kubernetes.workloads import WORKLOADS, is_ours, our_image
from higgsdemo.links import PageLink
from higgsdemo.notifications import NotifierError, callbacks
from higgsdemo.operators.base import TaskFailedForGood, fail_in_words, most_mapped, other_run
from higgsdemo.operators.begun import compare_results, read_folder, results_of
from higgsdemo.operators.created import airflow_name
from higgsdemo.operators.credentials import check_credentials
from higgsdemo.operators.kept import keep
from higgsdemo.operators.list_shards import list_and_check
from higgsdemo.run import GROWING, ClusterRun, Run, run_name
from higgsdemo.run_folder import RECORD, certified_key

if TYPE_CHECKING:
    from higgsdemo.publication.summary import RunRecord
    from higgsdemo.storage.object_store import ObjectStore

ASKED_EVERY = timedelta(seconds=20)


class PlanOperator(BaseOperator):
    """Return one ClusterRun for each cluster, and write the resolved campaign to the run's folder."""

    operator_extra_links = (PageLink(),)

    def __init__(self, *, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.campaign = campaign
        self.begun: datetime | None = None

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Wait until no other run of the campaign uses its clusters, and plan this one."""
        keep(self.campaign, context["dag_run"].dag_id, context["dag_run"].run_id)
        if other := other_run(context):
            self.log.info("the run %s of this campaign goes on: waiting until it has ended", other)
            self.defer(trigger=TimeDeltaTrigger(ASKED_EVERY), method_name="execute_later")
        return self._plan(context)

    def execute_later(self, context: Context, event: Any = None) -> list[dict[str, Any]]:
        self.begun = datetime.now(UTC)
        return self.execute(context)

    def _plan(self, context: Context) -> list[dict[str, Any]]:
        """Apply the conf of the run and resolve every cluster; split the campaign's datasets over them."""
        dag_run = context["dag_run"]
        conf, campaign, run = self._resolve(dag_run)
        clusters = campaign.clusters()
        if len(clusters) > (most := most_mapped()):
            raise TaskFailedForGood(
                f"the run has {len(clusters)} clusters, and this Airflow allows {most}: take fewer, or raise "
                "its setting max_map_length (AIRFLOW__CORE__MAX_MAP_LENGTH)"
            )
        campaign.remark(*tell_what_stays(run, clusters))
        for remark in campaign.remarks:
            self.log.warning("%s", remark)
        if run.stages != ("cleanup",):
            refuse_unpublished_image(run, clusters)
        check_credentials(campaign, run, clusters)
        if "submit" in run.stages:
            with fail_in_words():
                run, clusters = self._plan_shards(campaign, run, clusters, conf, dag_run.run_id)
        for cluster in clusters:
            shards = sum(ref.planned_shards for ref in cluster.datasets)
            said = f", {shards} shards" if shards else ""
            self.log.info(
                "%s: %d datasets%s on %s", cluster.name, len(cluster.datasets), said, cluster.provider
            )
        return [ClusterRun(run=run, cluster=cluster).model_dump(mode="json") for cluster in clusters]

    def _resolve(self, dag_run: Any) -> tuple[dict[str, Any], Campaign, Run]:
        """Return the conf with what a resumed run was triggered with, and the campaign and run it makes."""
        try:
            conf = self._full_conf(dag_run.dag_id, dict(dag_run.conf or {}))
            campaign, options = apply_conf(self.campaign, conf)
            if campaign.growing and options.run_name is None:
                options = options.model_copy(update={"run_name": GROWING, "resume": True})
            name = options.run_name or run_name(dag_run.run_id, dag_run.run_after)
            run = plan_run(campaign, options, dag_run.dag_id, name)
            if not conf.get("mapping"):
                campaign.remark(*self.campaign.remarks)
            for event in ("on_success", "on_failure"):
                for notify in callbacks(campaign.notifications, event):
                    notify.make()
        except (CampaignError, NotifierError) as error:
            raise TaskFailedForGood(str(error)) from None
        return conf, campaign, run.model_copy(update={"airflow": airflow_name(), "begun": self.begun})

    def _plan_shards(
        self, campaign: Campaign, run: Run, clusters: list[Cluster], conf: dict[str, Any], run_id: str
    ) -> tuple[Run, list[Cluster]]:
        """Look the datasets up, begin the run's folder or go on in it, and share the shards out."""
        from higgsdemo.datasets.certified import certified_files
        from higgsdemo.datasets.listing import refuse_absent
        from higgsdemo.datasets.overlap_in_stores import refuse_overlaps
        from higgsdemo.datasets.records import look_up
        from higgsdemo.datasets.section_luminosity import check_tables
        from higgsdemo.datasets.simulated import refuse_simulated
        from higgsdemo.prediction import account_table, predict
        from higgsdemo.rates import recorded_rates

        catalogue, strict = load_catalogue(run.catalogue), run.incomplete == "fail"
        clusters, shared, told, mean_bytes = look_up(clusters, campaign.shared_datasets(), strict=strict)
        campaign.remark(*told)
        for one in told:
            self.log.info("%s", one)
        placed = placed_datasets(clusters, shared)
        refuse_overlaps(placed)
        refuse_absent(placed)
        names = {one.ref.name for one in placed}
        output, earlier = self._claim(run, run_id, names)
        certified = certified_files(one.ref for one in placed)
        results = results_of(run, names, certified)
        for remark in compare_results(earlier, results, run.output):
            campaign.remark(remark)
            self.log.warning("%s", remark)
        for name, content in certified.items():
            output.write(certified_key(name), content)
        check_tables(catalogue)
        refuse_simulated(catalogue, placed)
        rates = recorded_rates(run)
        if shared:
            run = run.model_copy(update={"listed": True})
            clusters, mean_bytes = self._split(run, shared, clusters, output)
        else:
            mean_bytes = mean_bytes or rates.shard or catalogue.file_bytes
        predicted = predict(run, clusters, mean_bytes, _done(run, clusters, output), rates)
        self.log.info("This run should take:\n%s", account_table(predicted, None))
        record = {
            "datasets": sorted(names),
            "predicted": predicted.model_dump(mode="json"),
            "conf": chosen_work(self.campaign, conf),
            "results": results | earlier.results,
        }
        url = output.write(RECORD, _record(campaign, run, run_id, record))
        self.log.info("run %s: see %s", run.name, url)
        return run, clusters

    def _full_conf(self, dag_id: str, conf: dict[str, Any]) -> dict[str, Any]:
        """Return the conf; where it resumes a run, with what that was triggered with unless it says else."""
        if conf.get("resume") is not True or self.campaign.growing:
            return conf
        where = {key: conf.get(key) for key in ("storage", "run_name", "resume")}
        campaign, options = apply_conf(self.campaign, where)
        run = plan_run(campaign, options, dag_id, str(options.run_name))
        with fail_in_words():
            _, earlier = read_folder(run)
        return conf | earlier.conf | chosen_work(self.campaign, conf) if earlier else conf

    def _claim(self, run: Run, run_id: str, datasets: set[str]) -> tuple[ObjectStore, RunRecord]:
        """Return the run's folder, new, this DAG run's or to be resumed, and the record of how it began."""
        from higgsdemo.publication.summary import RunRecord

        output, earlier = read_folder(run)
        if earlier is None:
            return output, RunRecord()
        by = earlier.airflow.dag_run if earlier.airflow else "that its campaign.json does not name"
        if not run.resume and by != run_id:
            raise TaskFailedForGood(
                f"run {run.name} is there already, made by the DAG run {by}: give resume to finish it, or "
                "another run_name"
            )
        lost = sorted(set(earlier.datasets) - datasets)
        if run.resume and lost and not self.campaign.growing:
            more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
            raise TaskFailedForGood(
                f"run {run.name} is of {', '.join(lost[:3])}{more} as well, which its summary and plot would "
                "lose: resume it with all of its clusters; what is done is not run again"
            )
        return output, earlier

    def _split(
        self, run: Run, shared: Sequence[DatasetRef], clusters: Sequence[Cluster], output: ObjectStore
    ) -> tuple[list[Cluster], float | None]:
        """Return the clusters with their parts, and the mean size of a shard in bytes."""
        from higgsdemo.datasets.split import mean_bytes, share_out

        with TemporaryDirectory() as temporary:
            folder = Path(temporary)
            listings = list_and_check(run, shared, clusters[0].input_connection, folder, self.log.warning)
            return share_out(listings, clusters, output, folder), mean_bytes(listings)


def _record(campaign: Campaign, run: Run, run_id: str, found: dict[str, Any]) -> bytes:
    """Return the content of campaign.json."""
    from airflow import __version__

    about = {
        "planned": datetime.now(UTC).isoformat(timespec="seconds"),
        "airflow": {"version": __version__, "dag_run": run_id},
    }
    resolved = {
        "run": run.model_dump(mode="json"),
        "remarks": list(campaign.remarks),
        "campaign": campaign.model_dump(mode="json", by_alias=True),
    }
    return json.dumps(about | found | resolved, indent=1).encode()


def _done(run: Run, clusters: Sequence[Cluster], output: ObjectStore) -> dict[str, int]:
    """Return how many shards of each dataset are done before a resumed run."""
    from higgsdemo.datasets.shards import done_shards

    names = {dataset.name for cluster in clusters for dataset in cluster.datasets} if run.resume else ()
    return {name: len(done_shards(output, name)) for name in names}


def plan_run(campaign: Campaign, options: RunOptions, dag_id: str, name: str) -> Run:
    """Return the run of a campaign with the options of its trigger."""
    storage = campaign.storage
    images = {
        "image": campaign.image or WORKLOADS[campaign.workload].image or our_image(),
        "stage_in_image": campaign.stage_in_image or our_image(),
    }
    return Run(
        **{key: getattr(campaign, key) for key in Settings.model_fields} | images,
        campaign=dag_id,
        name=name,
        output=f"{storage.output.rstrip('/')}/{dag_id}/{name}",
        output_connection=storage.writes_with,
        pod_endpoint=storage.writes_at,
        stages=tuple(options.stages),
        resume=options.resume,
        pod_ca=storage.pod_ca,
        live=storage.live,
    )


def tell_what_stays(run: Run, clusters: Sequence[Cluster]) -> Iterator[str]:
    """Tell of the clusters that cost money after the run, which does not delete them."""
    from higgsdemo.prediction import tell_nodes

    deletes = run.cleanup == "clusters" and "cleanup" in run.stages
    stay = [] if deletes else [cluster for cluster in clusters if cluster.provider in CLOUDS]
    if stay:
        more = f" and {len(stay) - 3} more" if stay[3:] else ""
        named = ", ".join(f"{cluster.name} ({tell_nodes(cluster)})" for cluster in stay[:3])
        yield (
            f"this run leaves clusters that cost money: {named}{more}; "
            'its stage cleanup deletes them where "cleanup" is "clusters"'
        )


def refuse_unpublished_image(run: Run, clusters: Sequence[Cluster]) -> None:
    """Refuse our own image where nodes would pull it: no registry has it.

    An image of that name in a public registry would be somebody else's, and get the keys of the stores.

    :raises TaskFailedForGood: when a cluster may pull it.
    """
    field = "stage_in_image" if WORKLOADS[run.workload].with_sidecar else "image"
    pulling = [cluster.name for cluster in clusters if cluster.image_pull_policy != "Never"]
    if pulling and is_ours(getattr(run, field)):
        raise TaskFailedForGood(
            f"campaign: {field} is {getattr(run, field)}, which is in no registry, and nodes of "
            f"{', '.join(pulling[:3])} would pull it: push your build to one, and name it in the campaign's "
            'file; or, where the nodes have it, say there "image_pull_policy": "Never"'
        )
