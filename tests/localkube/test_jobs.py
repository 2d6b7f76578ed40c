"""Jobs, as kubernetes.io/docs/concepts/workloads/controllers/job describes them."""

import itertools
import secrets
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localkube.controllers import job_rules, jobs
from localkube.controllers.events import Events
from localkube.controllers.job_rules import compress, expand, index_of
from localkube.controllers.jobs import JobController
from localkube.objects.admission import Admission
from localkube.objects.object import Key, Obj
from localkube.objects.resources import RESOURCES
from localkube.objects.store import Store
from localkube_server import shell_space
from space import Space

JOBS = shell_space(None, test="j")


def controlled(job: dict[str, Any]) -> tuple[Store, JobController, Key]:
    """Return a store with a Job that has its first pods, and its controller."""
    store = Store(lambda *_: None)
    controller = JobController(store, Events(store), backoff=0.1)
    key = store.create("jobs", Admission(RESOURCES["jobs"]).new(job, "n")).key("jobs")
    controller.sync(key)
    return store, controller, key


async def test_a_round_looks_only_at_the_pods_that_have_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    store, controller, key = controlled(JOBS.indexed_job("true", 50))
    looked_at: set[str] = set()

    def noted(pod: Obj) -> int:
        looked_at.add(pod.name)
        return index_of(pod)

    for module in (jobs, job_rules):
        monkeypatch.setattr(module, "index_of", noted)
    ended = store.update("pods", store.objects("pods")[7].with_status(phase="Succeeded"))
    controller.sync(key)
    assert looked_at == {ended.name}
    assert store.existing(*key).at("status.succeeded") == 1


@pytest.mark.parametrize("broken", [False, True])
async def test_no_count_is_lost_when_the_next_pod_cannot_be_made_at_once(
    monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    letters = itertools.chain("bbbbb", "bbbbb", "ccccc")  # the second pod draws the name of the first
    monkeypatch.setattr(secrets, "choice", lambda _: next(letters))
    store, controller, key = controlled(JOBS.job("true", completions=2, parallelism=1))
    first = store.update("pods", store.existing("pods", "n", "j-bbbbb").with_status(phase="Succeeded"))
    if broken:
        monkeypatch.setattr(JobController, "create_pod", None)
    with pytest.raises(TypeError) if broken else nullcontext():
        controller.sync(key)
    assert store.existing(*key).at("status.succeeded") == 1
    assert store.existing(*first.key("pods")).finalizers == []
    assert [pod.name for pod in store.objects("pods")][1:] == ([] if broken else ["j-ccccc"])


def test_a_success_takes_back_the_backoff(space: Space, tmp_path: Path) -> None:
    """Without retries per index all indexes share one backoff; here 7 times 0.2 s, not 0.2 s to 12.8 s."""
    script = f"cd {tmp_path}; test -e $JOB_COMPLETION_INDEX || ! touch $JOB_COMPLETION_INDEX"
    status = space.run_job(space.indexed_job(script, 7, parallelism=1, backoffLimit=30))
    assert (status.succeeded, status.failed) == (7, 7)
    assert (status.completion_time - status.start_time).total_seconds() < 15


@given(st.sets(st.integers(0, 3000)))
def test_what_is_written_is_read_again(indexes: set[int]) -> None:
    assert expand(compress(indexes)) == indexes
