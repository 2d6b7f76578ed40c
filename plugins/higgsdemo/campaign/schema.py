"""Write the JSON Schema of campaign files, by which editors complete and check them.

`python -m higgsdemo.campaign.schema` writes `include/config/campaign.schema.json`, which the campaign files
name in `$schema`. It describes both forms, but less than the model checks: whether a dataset exists or is
repeated is known only when a campaign is loaded.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from higgsdemo.campaign.entries import ClusterEntry
from higgsdemo.campaign.model import Campaign

SCHEMA_FILE = Path(__file__).resolve().parents[3] / "include" / "config" / "campaign.schema.json"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a campaign file in either form."""
    campaign = Campaign.model_json_schema(by_alias=True)
    mapping = TypeAdapter(list[ClusterEntry]).json_schema(by_alias=True)
    definitions = {**campaign.pop("$defs"), **mapping["$defs"], "Campaign": campaign}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Campaign",
        "oneOf": [
            {"$ref": "#/$defs/Campaign"},
            {
                "type": "array",
                "title": "Mapping alone",
                "description": "The original tool's form: clusters on GKE that run the CMSSW image.",
                "minItems": 1,
                "items": mapping["items"],
            },
        ],
        "$defs": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """Return the content of `campaign.schema.json`."""
    return json.dumps(json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    print(SCHEMA_FILE)
