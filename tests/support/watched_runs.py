"""A run as the campaign's page tells of it, while it goes on and when it is done."""

from typing import Any

SHARDS: dict[str, Any] = {
    "total": 10,
    "done": 4,
    "running": 3,
    "failed": 1,
    "pending": 2,
    "rate": 0.5,
    "eta": 10.0,
    "said": "4 of 10 shards done, 1 failed, 3 running, 2 pending",
}
PODS = {"pending": 5, "running": 3, "succeeded": 4, "failed": 2}
NO_PODS = dict.fromkeys(PODS, 0)
STEPS = [{"name": "create_cluster", "state": "success"}, {"name": "submit_jobs", "state": "running"}]
STATE: dict[str, Any] = {
    "title": "The demo",
    "run": {"run_id": "one", "state": "running", "started": 100.0, "ended": 142.0, "ended_all": False},
    "stages": [
        {"name": "plan", "state": "success"},
        {"name": "cluster", "state": "running"},
        {"name": "plot", "state": None},
    ],
    "clusters": [
        {"name": "kubecon-demo-0", "steps": STEPS, "waiting": None, "pods": PODS, "shards": SHARDS},
        {
            "name": "kubecon-demo-1",
            "steps": [{"name": "create_cluster", "state": "up_for_retry"}],
            "waiting": "no node has room",
            "pods": NO_PODS,
            "shards": SHARDS | {"total": None, "rate": 0.0, "eta": None},
        },
    ],
    "pods": PODS,
    "total": SHARDS,
    "account": [["", "predicted", "took"], ["Shards", "10", "4"], ["Cores asked, enough", "", "0.9, 0.4"]],
    "slow": [],
    "causes": [],
    "advice": None,
    "stragglers": [],
    "reading": {"read": 4, "found": 9, "complete": False, "error": None},
    "failures": {"count": 7, "shown": [{"shard": "s", "dataset": "D", "reason": "exit code 65 [red]"}] * 7},
}
DONE: dict[str, Any] = STATE | {
    "run": STATE["run"] | {"state": "success", "ended_all": True},
    "stages": [{"name": name, "state": "success"} for name in ("plan", "cluster", "plot")],
    "clusters": [
        line | {"steps": [step | {"state": "success"} for step in line["steps"]]}
        for line in STATE["clusters"]
    ],
    "total": SHARDS | {"done": 10, "running": 0, "failed": 0, "pending": 0, "said": "10 of 10"},
}
