"""Open the page on a run with 27,000 unmerged results, and on one with 100.

A real Chromium opens the page of a real Airflow, as `make demo` starts it, on runs whose shards are listed
and whose results all lie in the bucket, but which were ended before the merge. The browser itself measures,
from the navigation on: until the first chart can be seen, which must be before all of many results are read,
and the slowest of all requests until every result is counted. The server has served the page before, but has
not seen the run.
"""

import argparse
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from playwright.sync_api import Page, sync_playwright

from bench.measure import BenchError
from bench.report import Report, Say, number, ratio, table
from bench.services import RunsOfAirflow, copy_of_project, services, until
from bench.surroundings import REPOSITORY, s3_connection, store
from demo.settings import USER, Settings

DAG, CONNECTION = "demo-local", "many_results"
SAMPLES = {"Many_Higgs": "simulated_smhiggstozzto4l_8tev", "Many_ZZ": "simulated_zzto4mu_8tev"}
HISTOGRAMS = ("mass4mu_8TeV_low", "mass4e_8TeV_low", "mass2mu2e_8TeV_low")
FEW = 100
PATIENCE = 300_000  # ms for whatever the page shows, such as all results of a run
CHART = "performance.getEntriesByName('first chart')[0]?.startTime"
SLOWEST = "Math.max(...performance.getEntriesByType('resource').map((one) => one.duration))"
Visit = tuple[float, float]
"""Milliseconds until the first chart, and of the slowest request."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--many", type=int, default=27_000, help="results of a large run (default 27,000)")
    parser.add_argument("--visits", type=int, default=5, help="runs of each size that are opened (default 5)")


def run(options: argparse.Namespace, say: Say) -> Report:
    """Open runs of both sizes in turn."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise BenchError("there is no Chromium: install Debian's package chromium")
    runs = {f"results-{size}-{turn}": size for turn in range(options.visits) for size in (options.many, FEW)}
    visits: dict[int, list[Visit]] = {options.many: [], FEW: []}
    say("Starting Airflow, an S3 server and localkube ...")
    with store("many", list(_objects(runs))) as port:
        settings = Settings.load(options.folder / "state")
        campaign = json.loads((REPOSITORY / "include" / "config" / f"{DAG}.json").read_text())
        campaign["at_trigger"]["connections"] = [CONNECTION, "nowhere"]
        campaign["storage"]["input"] = "s3://many/in"  # so that nothing is generated
        copy = copy_of_project(options.folder, DAG, campaign)
        nowhere = {"conn_type": "kubernetes", "extra": {"kube_config_path": "/nowhere"}}
        with services(copy, settings, {CONNECTION: s3_connection(port), "nowhere": nowhere}) as session:
            for run_id, size in runs.items():
                say(f"Listing the shards of {run_id} ...")
                _leave_unmerged(session, run_id, size)
            with _browser(chromium, Settings.load(settings.state)) as page:
                for run_id, size in runs.items():
                    visits[size].append(_visit(page, run_id, size))
                    say(f"{run_id}: first chart after {visits[size][-1][0]:.0f} ms")
    return _report(visits)


def _report(visits: dict[int, list[Visit]]) -> Report:
    found = table("Results of the run", "visits", "first chart ms", "at most", "slowest request ms")
    charts = {size: [chart for chart, _ in of_size] for size, of_size in visits.items()}
    for size, of_size in visits.items():
        requests = median(slowest for _, slowest in of_size)
        row = (number(median(charts[size])), number(max(charts[size])), number(requests))
        found.add_row(f"{size:,}", str(len(of_size)), *row)
    most, few = (median(of_size) for of_size in charts.values())
    finding = f"{next(iter(visits)):,} results take {ratio(few, most)} the time of {FEW} to the first chart."
    return Report(__doc__.partition("\n")[2], found, (finding,), packages=("apache-airflow", "playwright"))


def _objects(runs: dict[str, int]) -> Iterator[tuple[str, bytes]]:
    """Yield the files and results of these runs, by key."""
    for dataset in SAMPLES:
        document = json.dumps(_result(dataset)).encode()
        for run_id, size in runs.items():
            for shard in range(size // len(SAMPLES)):
                yield f"in/{size}/{dataset}/{shard:05}.root", b"x"
                yield f"out/{DAG}/{run_id}/results/{dataset}/{shard:05}.json", document


def _result(dataset: str) -> dict[str, Any]:
    """Return a result document with one event in each channel."""
    histograms = {name: [int(index == 18) for index in range(37)] for name in HISTOGRAMS}
    return {"samplename": dataset, "processed": 100, **histograms, "lumi": None}


def _leave_unmerged(session: RunsOfAirflow, run_id: str, size: int) -> None:
    """Return a run that has ended once its shards were listed."""
    datasets = [
        {"url": f"s3://many/in/{size}/{dataset}/", "name": dataset, "sample": sample}
        for dataset, sample in SAMPLES.items()
    ]
    place = {"provider": "existing", "connection": "nowhere", "image_pull_policy": "Never"}
    away = place | {"name": "away", "datasets": datasets}
    storage = {"output": "s3://many/out", "connection": CONNECTION}
    conf = {"run_name": run_id, "stages": ["submit"], "storage": storage, "mapping": [away]}
    until(lambda: session.has_dag(DAG), f"Airflow finds the DAG {DAG}")
    session.trigger(DAG, run_id, conf)
    until(lambda: _listed(session, run_id), f"the shards of {run_id} are listed")
    until(lambda: _ended(session, run_id), f"{run_id} is ended")


def _listed(session: RunsOfAirflow, run_id: str) -> bool:
    tasks = session.tasks(DAG, run_id)
    return any(task.task_id == "cluster.list_dataset_shards" and task.state == "success" for task in tasks)


def _ended(session: RunsOfAirflow, run_id: str) -> bool:
    """End a run by hand; Airflow may be too busy to do so at once."""
    session.fail(DAG, run_id)
    return session.run_state(DAG, run_id) == "failed"


@contextmanager
def _browser(chromium: str, settings: Settings) -> Iterator[Page]:
    """Open a logged-in page of a server that has served the campaign page before."""
    with (
        sync_playwright() as started,
        started.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as browser,
    ):
        page = browser.new_page(base_url=settings.ui_url)
        page.set_default_timeout(PATIENCE)
        page.goto("/higgs/")
        page.locator("input[name=username]").fill(USER)
        page.locator("input[name=password]").fill(settings.secrets.ui_password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/higgs/**")
        page.get_by_role("heading", name="Campaigns").wait_for()
        yield page


def _visit(page: Page, run_id: str, size: int) -> Visit:
    """Return what the browser measured of one visit, from the navigation to the last result."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"/higgs/?dag_id={DAG}&run_id={run_id}")
    until(lambda: page.evaluate(CHART), f"the page draws {run_id}")
    if size > FEW and "Results read" not in page.locator("#figures").inner_text():
        raise BenchError(f"all results of {run_id} were read before the page drew them")
    page.get_by_text(f"{size:,} of {size:,}").first.wait_for()
    if complaints:
        raise BenchError(f"the page of {run_id} complains: {complaints}")
    chart, slowest = page.evaluate(f"[{CHART}, {SLOWEST}]")
    return chart, slowest
