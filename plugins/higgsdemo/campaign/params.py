"""The trigger form of a campaign's DAG: one Airflow Param for each key of the conf.

Airflow validates a trigger's conf by these schemas, and its form chooses an input by them: a drop-down for an
enum, a multi-select for an array with examples, a JSON editor for an array of objects (`items` must say so
itself, not by reference).
"""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from higgsdemo.campaign.entries import ClusterEntry
from higgsdemo.campaign.model import Campaign, Storage
from higgsdemo.campaign.override import RunOptions
from higgsdemo.campaign.resolve import cluster_name
from higgsdemo.tasks import STAGES

_WORK = ("mapping", "max_shards", "read", "shard_events", "image", "stage_in_image", "storage")
_FOR_READERS = ("title", "description", "examples", "default")
_OF_THE_RUN = "This run"
_OF_THE_CAMPAIGN = "Instead of what the campaign's file says; what is left empty is as in the file"


def param_schemas(campaign: Campaign) -> dict[str, dict[str, Any]]:
    """Return, for each key of the conf, the keyword arguments of its `airflow.sdk.Param`.

    The defaults change nothing: they are null, or the campaign's own values.
    """
    document = campaign.model_dump(mode="json", by_alias=True, exclude_unset=True)
    names = [cluster_name(entry, position) for position, entry in enumerate(campaign.mapping)]
    schemas = _of_run(names)
    fields = Campaign.model_json_schema()["properties"]
    schemas["cleanup"] = _choice(fields["cleanup"]) | {"default": campaign.cleanup}
    schemas["image"] = _nullable(fields["image"]) | {"default": campaign.image}
    schemas["stage_in_image"] = _nullable(fields["stage_in_image"]) | {"default": campaign.stage_in_image}
    schemas["read"] = _choice(fields["read"]) | {"default": campaign.read}
    schemas["shard_events"] = _nullable(fields["shard_events"]) | {"default": campaign.shard_events}
    schemas["storage"] = _storage() | {"default": document["storage"]}
    schemas["mapping"] = _mapping(campaign) | {"default": document["mapping"]}
    for name, schema in schemas.items():
        schema["section"] = _OF_THE_RUN if name in RunOptions.model_fields else _OF_THE_CAMPAIGN
        # The form draws boxes around code, which overlap the lines above and below.
        schema["description_md"] = schema.pop("description").replace("`", "*")
    return schemas


def chosen_work(campaign: Campaign, conf: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a conf chooses of the work that a resumed run goes on with.

    Values of the campaign's file are left out: the trigger form repeats them all.
    """
    schemas = param_schemas(campaign)
    return {key: conf[key] for key in _WORK if conf.get(key) not in (None, schemas[key]["default"])}


def _of_run(clusters: list[str]) -> dict[str, dict[str, Any]]:
    fields = RunOptions.model_json_schema()["properties"]
    schemas = {name: _nullable(field) for name, field in fields.items()}
    schemas["stages"]["examples"] = list(STAGES)
    schemas["clusters"]["examples"] = clusters
    return {name: {"default": None} | schema for name, schema in schemas.items()}


def _nullable(field: dict[str, Any]) -> dict[str, Any]:
    """Write `anyOf: [X, null]` as X with the types X and null: the form ignores `anyOf`."""
    kinds = field.get("anyOf")
    if not kinds:
        return dict(field)
    rest = {key: value for key, value in field.items() if key != "anyOf"}
    return {**kinds[0], "type": [kinds[0]["type"], "null"], **rest}


def _choice(field: dict[str, Any]) -> dict[str, Any]:
    return {**field, "type": ["string", "null"], "enum": [*field["enum"], None]}


def _storage() -> dict[str, Any]:
    """Let storage name only the fields it replaces, and null what it leaves out."""
    properties = Storage.model_json_schema()["properties"]
    loose = {name: _nullable(schema) for name, schema in properties.items()}
    for schema in loose.values():
        schema["type"] = ["string", "null"]
    return {
        "type": ["object", "null"],
        "title": "Storage",
        "description": "Where shards are read and results are written; replaces the fields it names.",
        "properties": loose,
        "additionalProperties": False,
    }


def _mapping(campaign: Campaign) -> dict[str, Any]:
    schema = _bare(TypeAdapter(list[ClusterEntry]).json_schema(by_alias=True))
    return {
        "type": ["array", "null"],
        "title": "Mapping",
        "description": "The clusters, each with the datasets it runs; replaces the whole list.",
        "minItems": 1,
        "items": {
            "type": "object",
            **({} if campaign.datasets else {"required": ["datasets"]}),
            **schema["items"],
        },
        "$defs": schema["$defs"],
    }


def _bare(schema: Any) -> Any:
    """Leave out what the JSON editor never shows: Airflow stores the params again with every task."""
    if isinstance(schema, list):
        return [_bare(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _bare(value)
        for key, value in schema.items()
        if key not in _FOR_READERS or isinstance(value, dict)  # an object is a property of that name
    }
