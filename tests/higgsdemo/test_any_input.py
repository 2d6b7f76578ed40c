"""Whatever an index file, a bucket's listing or a Job's status says, it is understood or refused in words."""

import itertools
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from higgsdemo.campaign import DatasetRef, parse_index
from higgsdemo.datasets.shards import File, cut, dump, list_shards, parse_line, shard_name
from higgsdemo.kubernetes.progress import SHARDS, SHARDS_PER_POD, job_pods, job_progress

keys = st.one_of(
    st.text(min_size=1, max_size=40),
    st.sampled_from(
        ["a b.root", "ä.root", "../x.root", "a/../b.root", "..root", "-.root", "x.ROOT", "a//b.root"]
        + ["_.root", "b_00-10.root", "b_10-20.root", "b.root", "a/b.root"]
        + [f"{shard_name('a/b.root', '.root')}.root"]
        + [f"{'k' * number}.root" for number in (191, 200, 201, 1019)]
    ),
    st.text(alphabet="ab/. \u00e9", min_size=1, max_size=12).map(lambda stem: f"{stem}.root"),
)
indexes = st.sets(st.integers(0, 30)).map(
    lambda chosen: ",".join(map(str, sorted(chosen)))  # Kubernetes joins runs by a hyphen; both are allowed
)
numbers = st.one_of(st.none(), st.integers(0, 50))


@given(
    st.one_of(
        st.binary(max_size=80), st.lists(st.text(max_size=30)).map(lambda lines: "\n".join(lines).encode())
    )
)
def test_any_index_file_names_objects_or_is_refused(content: bytes) -> None:
    try:
        urls = parse_index(content, "index.txt")
    except ValueError as error:
        refused = str(error)
        urls = []
    else:
        refused = ""
    assert urls or not content.decode(errors="replace").strip() or "index.txt" in refused
    assert len(set(urls)) == len(urls)
    assert all(re.match("(s3|gs)://[^/]+/.+", url) and ".." not in url.split("/") for url in urls)


@given(
    st.lists(st.tuples(keys, st.one_of(st.none(), st.integers(0, 10))), unique_by=lambda item: item[0]),
    st.sampled_from(["*.root", "*"]),
)
def test_any_listing_gives_shards_and_parts_names_of_their_own_that_are_plain_file_names(
    files: list[tuple[str, int | None]], match: str
) -> None:
    skipped: list[str] = []
    dataset = DatasetRef(name="A", url="s3://b/A/", match=match)
    shards = list(list_shards(dataset, itertools.starmap(File, files), lambda key, why: skipped.append(key)))
    parts = [part for shard in shards for part in cut(shard, [(0, 10), (10, 20)])]
    names = [shard.name for shard in shards + parts]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,227}", name) for name in names)
    assert len(shards) + len(skipped) == len(files)
    assert [parse_line(dump(shard)) for shard in shards] == shards


@given(
    total=st.integers(1, 31),
    per_pod=st.integers(1, 4),
    completed=indexes,
    failed=indexes,
    status=st.fixed_dictionaries(
        {}, optional={name: numbers for name in ("active", "ready", "succeeded", "failed")}
    ),
)
def test_any_status_of_a_job_adds_up(
    total: int, per_pod: int, completed: str, failed: str, status: dict[str, Any]
) -> None:
    annotations = {SHARDS: str(total), SHARDS_PER_POD: str(per_pod)}
    status = status | {"completedIndexes": completed, "failedIndexes": failed}
    job = {"metadata": {"annotations": annotations}, "status": status}
    progress = job_progress(job)
    parts = (progress.done, progress.failed, progress.running, progress.pending)
    assert min(parts) >= 0
    assert progress.done <= total
    assert min(job_pods(job).values()) >= 0
