"""A run as the campaign's page tells of it, while it goes on and when it is done."""

from pathlib import Path
from typing import Any

import yaml

STATE: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("watched_run.yaml").read_text())
SHARDS, PODS = STATE["total"], STATE["pods"]
DONE: dict[str, Any] = STATE | {
    "run": STATE["run"] | {"state": "success", "ended_all": True},
    "stages": [{"name": name, "state": "success"} for name in ("plan", "cluster", "plot")],
    "clusters": [
        line | {"steps": [step | {"state": "success"} for step in line["steps"]]}
        for line in STATE["clusters"]
    ],
    "total": SHARDS | {"done": 10, "running": 0, "failed": 0, "pending": 0, "said": "10 of 10"},
}
