"""The page of a run with 27,000 unmerged results draws long before it has read them, in a real browser.

`make bench-page` tells how soon that is.
"""

import asyncio
import json
import threading
from collections.abc import Iterator

import httpx
import pytest

from browser import Browser, browser_for
from demo.airflow_api import AirflowAwayError
from demo.ports import free_port
from demo.settings import USER
from demo_stack import DAG, Stack, eventually
from rehearsal.store import Bucket, Store, serve
from result_documents import document

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

RESULTS = 27_000
DATASETS = {"Many_Higgs": "simulated_smhiggstozzto4l_8tev", "Many_ZZ": "simulated_zzto4mu_8tev"}
RUN = "many"


@pytest.fixture(scope="module")
def browser(stack: Stack) -> Iterator[Browser]:
    with browser_for(stack.settings) as browser:
        yield browser


@pytest.fixture(scope="module")
def full_store() -> Iterator[str]:
    """The URL of an S3 server with 27,000 files, and their results in the folder of the run."""
    bucket = Bucket()
    names = [f"{name}/{number:05}" for name in DATASETS for number in range(RESULTS // len(DATASETS))]
    documents = {name: json.dumps(document(name, 100, {"4mu": {18: 1}})).encode() for name in DATASETS}
    for name in names:
        bucket.write(f"in/{name}.root", b"x")
        bucket.write(f"out/{DAG}/{RUN}/results/{name}.json", documents[name.partition("/")[0]])
    store, port, loop = Store(), free_port(), asyncio.new_event_loop()
    store.buckets["many"] = bucket
    serving = loop.create_task(serve(store, "127.0.0.1", port))
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait([serving])))
    thread.start()
    yield f"http://127.0.0.1:{port}"
    loop.call_soon_threadsafe(serving.cancel)
    thread.join()
    loop.close()


@pytest.fixture(scope="module")
def unmerged_run(stack: Stack, full_store: str) -> str:
    """A run that was ended by hand once its shards were listed, with all of its results in the bucket."""
    store = {"endpoint_url": full_store, "region_name": "us-east-1"}
    connect(stack, "many", {"conn_type": "aws", "login": "tests", "password": "tests-secret"}, store)
    connect(stack, "nowhere", {"conn_type": "kubernetes"}, {"kube_config_path": "/nowhere"})
    datasets = [
        {"url": f"s3://many/in/{name}/", "name": name, "sample": sample} for name, sample in DATASETS.items()
    ]
    place = {"provider": "existing", "connection": "nowhere", "image_pull_policy": "Never"}
    conf = {
        "stages": ["submit"],
        "storage": {"output": "s3://many/out", "connection": "many"},
        "mapping": [place | {"name": "away", "datasets": datasets}],
    }
    stack.trigger(RUN, **conf)
    eventually(lambda: stack.tasks(RUN).get("list_dataset_shards away") == "success", "shards are listed")
    eventually(lambda: end(stack, RUN), "the run is ended")
    assert stack.finish(RUN) == "failed"
    return RUN


def end(stack: Stack, run: str) -> bool:
    """End a run by hand; not at once while SQLite is busy with the scheduler's tasks."""
    try:
        stack.airflow.fail(DAG, run)
    except AirflowAwayError:
        return False
    return True


def connect(stack: Stack, name: str, fields: dict[str, str], extra: dict[str, str]) -> None:
    """Make an Airflow connection."""
    settings = stack.settings
    login = {"username": USER, "password": settings.secrets.ui_password}
    token = httpx.post(f"{settings.ui_url}/auth/token", json=login, timeout=60).json()["access_token"]
    made = fields | {"connection_id": name, "extra": json.dumps(extra)}
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.post(f"{settings.ui_url}/api/v2/connections", json=made, headers=headers, timeout=60)
    assert answer.is_success, answer.text


def test_27_000_unmerged_results_are_drawn_before_they_are_read_and_all_counted_in_the_end(
    browser: Browser, unmerged_run: str
) -> None:
    with browser.page() as watched:
        page = watched.page
        page.goto(f"/higgs/?dag_id={DAG}&run_id={unmerged_run}")
        eventually(
            lambda: page.evaluate("performance.getEntriesByName('first chart').length"), "a chart is there"
        )
        assert "Results read" in page.locator("#figures").inner_text(), "drawn before all results were read"
        page.locator("#figures div", has_text="Results read").wait_for(state="detached", timeout=300_000)
        assert page.locator("#figures div", has_text="Done").locator("dd").inner_text() == "27,000 of 27,000"
        assert watched.complaints == []
