"""The trigger form of a campaign's DAG: one Airflow Param for each key of the conf.

Airflow's form chooses an input by these schemas: a drop-down for an enum, a multi-select for an array with
examples, a JSON editor for an object or an array of objects. It stars what may not be null, and silently
raises a number to its minimum. Airflow refuses with the whole schema, `plan` with a sentence: so the schemas
hold little more than types.
"""

from collections.abc import Mapping
from typing import Any

from higgsdemo.campaign.model import Campaign
from higgsdemo.campaign.resolve import cluster_name
from higgsdemo.campaign.trigger_conf import CAMPAIGN_KEYS, RunOptions
from higgsdemo.tasks import STAGES

_WORK = ("max_shards", *CAMPAIGN_KEYS)
_OF_THE_RUN = "This run"
_OF_THE_CAMPAIGN = "Changes to the campaign file for this run"


def param_schemas(campaign: Campaign) -> dict[str, dict[str, Any]]:
    """Return, for each key of the conf, the keyword arguments of its `airflow.sdk.Param`.

    The defaults change nothing: they are null, or the campaign's own values.
    """
    document = campaign.model_dump(mode="json", by_alias=True, exclude_unset=True)
    names = [cluster_name(entry, position) for position, entry in enumerate(campaign.mapping)]
    schemas = _of_run(names)
    fields = Campaign.model_json_schema()["properties"]
    for name in ("cleanup", "image", "stage_in_image", "read", "shard_events", "compare"):
        schemas[name] = _nullable(fields[name]) | {"default": getattr(campaign, name)}
    schemas["storage"] = {
        "type": "object",
        "title": "Storage",
        "description": "Where shards are read and results are written; replaces the fields it names.",
        "default": document["storage"],
    }
    schemas["mapping"] = {
        "type": "array",
        "title": "Mapping",
        "description": "The clusters, each with the datasets it runs; replaces the whole list.",
        "items": {"type": "object"},
        "default": document["mapping"],
    }
    for name, schema in schemas.items():
        if isinstance(schema["type"], str):
            schema["type"] = [schema["type"], "null"]
        schema.pop("minimum", None)
        schema["section"] = _OF_THE_RUN if name in RunOptions.model_fields else _OF_THE_CAMPAIGN
        # The form draws boxes around code, which overlap the lines above and below.
        schema["description_md"] = schema.pop("description").replace("`", "*")
    return schemas


def chosen_work(campaign: Campaign, conf: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a conf chooses of the work that a resumed run goes on with.

    The form gives every key, so one that has its default is no choice.
    """
    usual = {key: schema["default"] for key, schema in param_schemas(campaign).items()}
    of_form = conf.keys() >= usual.keys()
    return {key: conf[key] for key in _WORK if conf.get(key) not in (None, usual[key] if of_form else None)}


def _of_run(clusters: list[str]) -> dict[str, dict[str, Any]]:
    fields = RunOptions.model_json_schema()["properties"]
    schemas = {name: _nullable(field) for name, field in fields.items()}
    schemas["stages"]["examples"] = list(STAGES)
    schemas["clusters"]["examples"] = clusters
    return {name: {"default": None} | schema for name, schema in schemas.items()}


def _nullable(field: dict[str, Any]) -> dict[str, Any]:
    """Write `anyOf: [X, null]` as X with the types X and null: the form ignores `anyOf`."""
    if "enum" in field:
        return {**field, "type": ["string", "null"], "enum": [*field["enum"], None]}
    kinds = field.get("anyOf")
    if not kinds:
        return dict(field)
    rest = {key: value for key, value in field.items() if key != "anyOf"}
    return {**kinds[0], "type": [kinds[0]["type"], "null"], **rest}
