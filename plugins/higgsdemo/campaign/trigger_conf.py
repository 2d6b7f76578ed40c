"""Apply a trigger's conf: the campaign as the run wants it, and the options of the run.

The conf may have any of the keys below; null keeps the value of the campaign's file. Airflow accepts unknown
keys silently and would run the unchanged campaign, so they are refused here.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError

from higgsdemo.campaign.document import document_problems
from higgsdemo.campaign.entries import ClusterEntry
from higgsdemo.campaign.fields import ClusterName, RunName, Whole
from higgsdemo.campaign.load import parse_campaign
from higgsdemo.campaign.model import Campaign
from higgsdemo.campaign.problems import CampaignError, Problem, problems_of
from higgsdemo.campaign.providers import GkeOptions
from higgsdemo.campaign.resolve import cluster_name
from higgsdemo.campaign.rule import Model
from higgsdemo.campaign.trigger_limits import find_strangers
from higgsdemo.tasks import STAGES, Stage
from higgsdemo.wording import did_you_mean, one_of, quote

SOURCE = "trigger conf"


class RunOptions(Model):
    """The options of one run, beyond its campaign; all are optional."""

    run_name: RunName | None = None
    """Names the run's Jobs and its folder in the output bucket; by default made from the start time. To
    finish an earlier run, give its name and *resume*.
    """
    stages: list[Stage] = Field(list(STAGES), min_length=1)
    """Stages of the run: `create` the clusters, `prepare` them (pull the image), `submit` the Jobs and merge
    their results, `cleanup`. All by default.
    """
    clusters: list[ClusterName] | None = Field(None, min_length=1)
    """Names of the clusters to use; all by default."""
    resume: bool = False
    """Submit only shards of the run that have no result yet. Its *max_shards*, and the changes to the
    campaign file that it was triggered with, need not be given again.
    """
    max_shards: Whole | None = Field(None, title="Shards a dataset")
    """Take only the first so many shards of each dataset."""


CAMPAIGN_KEYS = (
    "mapping",
    "storage",
    "image",
    "stage_in_image",
    "read",
    "shard_events",
    "compare",
    "cleanup",
)
CONF_KEYS = (*RunOptions.model_fields, *CAMPAIGN_KEYS)


def apply_conf(campaign: Campaign, conf: Mapping[str, Any] | None) -> tuple[Campaign, RunOptions]:
    """Return the campaign and the options of a run that was triggered with `conf`.

    `mapping` replaces the campaign's, and its `datasets` where the new entries have their own; `storage`
    replaces the fields it names; `max_shards` replaces that of every entry; the others replace the
    campaign's, and a `read` that copies files drops its `shard_events`; `clusters` keeps only those entries.
    A run whose only stage is cleanup removes at least the jobs. The file decides where credentials go and
    what costs money, unless its `at_trigger` allows more.

    :raises CampaignError: with everything that is wrong with `conf`.
    """
    conf = {} if conf is None else conf
    if not isinstance(conf, Mapping):
        raise CampaignError(SOURCE, [Problem((), "must be an object")], root="it")
    given_keys = {key: value for key, value in conf.items() if value is not None}
    problems = list(document_problems(dict(conf))) or _unknown(given_keys)
    if problems:
        raise CampaignError(SOURCE, problems, root="it")
    options, problems = _options(
        {key: value for key, value in given_keys.items() if key not in CAMPAIGN_KEYS}
    )
    document = campaign.model_dump(mode="json", by_alias=True, exclude_unset=True)
    try:
        changed = parse_campaign(_change(document, given_keys, options.max_shards), SOURCE)
    except CampaignError as error:
        raise CampaignError(SOURCE, [*problems, *error.problems], root="it") from None
    problems = [*problems, *find_strangers(campaign, changed)]
    if options.clusters is not None and not problems:
        changed, problems = _keep(changed, options.clusters)
    if options.resume and options.run_name is None and not changed.growing:
        problems = [*problems, Problem(("resume",), "needs the key run_name: that of the run to finish")]
    if problems:
        raise CampaignError(SOURCE, problems, root="it")
    if options.stages == ["cleanup"] and changed.cleanup == "none":
        changed = changed.model_copy(update={"cleanup": "jobs"})
    return changed, options


def check_conf(conf: Mapping[str, Any]) -> None:
    """Refuse what is wrong with a conf whatever the campaign is; raise CampaignError with all of it."""
    given = {key: value for key, value in conf.items() if value is not None}
    of_run = {key: value for key, value in given.items() if key not in CAMPAIGN_KEYS}
    if problems := list(document_problems(dict(conf))) or _unknown(given) or _options(of_run)[1]:
        raise CampaignError(SOURCE, problems, root="it")


def _unknown(conf: Mapping[str, Any]) -> list[Problem]:
    known = f" (the keys are {', '.join(CONF_KEYS)})"
    return [
        Problem((), f"has no key {quote(key)}{did_you_mean(key, CONF_KEYS) or known}")
        for key in conf
        if key not in CONF_KEYS
    ]


def _options(conf: dict[str, Any]) -> tuple[RunOptions, list[Problem]]:
    try:
        options = RunOptions.model_validate(conf)
    except ValidationError as error:
        return RunOptions(), problems_of(error)
    problems = [
        Problem((name,), f"names {quote(item)} twice")
        for name, items in (("stages", options.stages), ("clusters", options.clusters or []))
        for item in sorted({str(item) for item in items if list(items).count(item) > 1})
    ]
    in_order = [stage for stage in STAGES if stage in options.stages]
    return options.model_copy(update={"stages": in_order}), problems


def _change(document: dict[str, Any], conf: Mapping[str, Any], max_shards: int | None) -> dict[str, Any]:
    """Replace the document's values by the conf's; the model judges values of the wrong kind."""
    changed = document | {key: conf[key] for key in CAMPAIGN_KEYS if key in conf and key != "storage"}
    if conf.get("read") == "stage-in" and "shard_events" not in conf:
        changed.pop("shard_events", None)
    entries = changed["mapping"] if isinstance(changed["mapping"], list) else []
    if "mapping" in conf and any(isinstance(entry, dict) and "datasets" in entry for entry in entries):
        changed.pop("datasets", None)
        changed.pop("split", None)
    storage = conf.get("storage")
    if isinstance(storage, dict):
        merged = document["storage"] | storage
        changed["storage"] = {key: value for key, value in merged.items() if value is not None}
    elif storage is not None:
        changed["storage"] = storage
    if max_shards is not None:
        changed["defaults"] = document.get("defaults", {}) | {"max_shards": max_shards}
        if entries:
            changed["mapping"] = [
                {key: value for key, value in entry.items() if key != "max_shards"}
                if isinstance(entry, dict)
                else entry
                for entry in entries
            ]
    return changed


def _keep(campaign: Campaign, names: list[str]) -> tuple[Campaign, list[Problem]]:
    entries = {cluster_name(entry, position): entry for position, entry in enumerate(campaign.mapping)}
    problems = [
        Problem(
            ("clusters", number),
            f"is {quote(name)}; the campaign's clusters are {one_of(entries)}{did_you_mean(name, entries)}",
        )
        for number, name in enumerate(names)
        if name not in entries
    ]
    ranges = {cluster.name: cluster.gke.subnet_range for cluster in campaign.clusters() if cluster.gke}
    mapping = [_pin(entry, name, ranges.get(name)) for name, entry in entries.items() if name in names]
    return campaign.model_copy(update={"mapping": mapping}), problems


def _pin(entry: ClusterEntry, name: str, subnet_range: str | None) -> ClusterEntry:
    """Keep what depends on an entry's position when others before it are left out: name and addresses."""
    if subnet_range is None:
        return entry.model_copy(update={"name": name})
    own = entry.gke.model_dump(exclude_unset=True) if entry.gke else {}
    gke = GkeOptions(**own | {"subnet_range": subnet_range})
    return entry.model_copy(update={"name": name, "gke": gke})
