"""What a run should take, and what it took."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from higgsdemo.campaign import Cluster, load_campaign
from higgsdemo.datasets.shards import Shard
from higgsdemo.kubernetes.jobs import chunks
from higgsdemo.prediction import Account, account_table, cost, measure, predict, relative_error, took
from higgsdemo.rates import built_in, keep_rates, pack, recorded_rates
from higgsdemo.results.sums import saved_sums
from planned_runs import dataset, planned
from result_documents import expecting, merged, stored
from stores import Kind

DEMO = Path(__file__).parents[2] / "include/config/demo-local.json"
FULL = {"flavor": "n1-highmem-16", "cores": 16, "nodes": 22, "price_per_node_hour": 0.95}
AOD = {"workload": "aod", "download_limit_kbps": 50_000}


def clusters(number: int, files: int, **fields: Any) -> list[Cluster]:
    refs = [dataset(files=files)]
    return [planned(cluster=FULL | {"datasets": refs} | fields).cluster for _ in range(number)]


def test_the_full_campaign_is_predicted_from_its_pods_slots_and_rates() -> None:
    run = planned(run=AOD).run
    one = 4.0 + 0.2 + 2.6e9 / 50e6 + 2.6e9 / 13e6  # s of a pod: start, opening, stage-in, analysis
    turns = 8  # 2,692 pods in 22 x 17 slots
    assert predict(run, clusters(10, 2692), 2.6e9) == Account(
        shards=26_920,
        pods=26_920,
        slots=10 * 22 * 17,
        pods_a_second=100.0,
        bytes=26_920 * 2_600_000_000,
        seconds=turns * one,
        core_hours=round(26_920 * one * 0.9 / 3600, 3),
        cost=round(220 * 0.95 * turns * one / 3600, 2),
    )


def test_where_pods_are_short_their_making_decides() -> None:
    found = predict(planned().run, clusters(1, 1000), 1000.0)
    assert found.seconds == pytest.approx(1000 / 10 + 4.2, abs=0.1)


def test_several_shards_a_pod_make_fewer_pods() -> None:
    assert predict(planned().run, clusters(2, 1000, shards_per_pod=8), 1e6).pods == 2 * 125


def test_each_dataset_has_pods_of_its_own() -> None:
    """Seven datasets of 5 files, 4 a pod: two pods each, not nine for all 35."""
    refs = [dataset(name, files=5) for name in "ABCDEFG"]
    assert predict(planned().run, clusters(1, 0, datasets=refs, shards_per_pod=4), 1e6).pods == 14


def test_the_pods_of_the_demo_are_those_of_its_manifests() -> None:
    campaign = load_campaign(DEMO)
    placed = campaign.clusters()
    jobs = [
        list(chunks((Shard(ref.name, f"{n}", f"s3://b/{n}.root", 1) for n in range(ref.files or 0)), k))
        for cluster in placed
        for k in [pack(planned().run, cluster, [ref.files or 0 for ref in cluster.datasets], 1e6)]
        for ref in cluster.datasets
    ]
    pods = sum(len(list(chunk.names)) for job in jobs for chunk in job)
    assert predict(planned().run, placed, 1e6).pods == pods


def test_what_nobody_knows_is_left_out() -> None:
    assert predict(planned().run, clusters(2, 10, cores=None), None) == Account(
        shards=20, pods=20, pods_a_second=20.0
    )
    unknown = clusters(1, 10) + clusters(1, 10, price_per_node_hour=None)
    assert cost(unknown, 3600.0) is None
    assert predict(planned().run, clusters(1, 0), 1e6).seconds is None


def test_what_a_run_took_is_told_by_its_results() -> None:
    first, second = {"stage_in": 30, "compute": 570}, {"stage_in": 0, "compute": 60}
    objects = [
        stored("A", "x", 1, bytes=700, seconds=first, finished="2026-01-02T03:10:00Z"),
        stored("A", "y", 1, bytes=300, seconds=second, finished="2026-01-02T04:00:00Z"),
    ]
    assert took(planned().run, merged(objects).work, clusters(1, 2)) == Account(
        shards=2,
        bytes=1000,
        bytes_out=sum(len(raw) for _, raw in objects),
        seconds=3600.0,
        core_hours=round(660 * 0.9 / 3600, 3),
        cost=22 * 0.95,
    )
    (_, raw) = plain = stored("A", "x", 1)
    assert took(planned().run, merged([plain]).work, []) == Account(
        shards=1, bytes=0, bytes_out=len(raw), core_hours=0.0
    )


def test_what_shards_have_used_says_what_to_ask_for() -> None:
    """Of 1,000 shards 940 take 200 MiB, 50 take 400 and the rest 500; cores likewise."""
    numbers = [(200, 0.2)] * 940 + [(400, 0.4)] * 50 + [(500, 0.9)] * 10
    used = [{"memory": size << 20, "cpu_seconds": 10 * cores} for size, cores in numbers]
    shards = [
        stored("A", f"{n}", 1, used=one, seconds={"stage_in": 50, "compute": 10})
        for n, one in enumerate(used)
    ]
    known = took(planned().run, merged(shards).work, clusters(1, 2))
    assert known.memory is not None
    assert known.cores is not None
    right = pytest.approx([200 << 20, 400 << 20, 500 << 20], rel=0.045)
    assert [known.memory.median, known.memory.percentile_95, known.memory.most] == right
    assert (known.memory.asked, known.memory.enough) == (6 << 30, 640 << 20)  # 1.2 x 500 = 600
    assert [known.cores.median, known.cores.percentile_95] == pytest.approx([0.2, 0.4], rel=0.045)
    assert (known.cores.asked, known.cores.most, known.cores.enough) == (0.9, 0.9, 0.5)
    told = {" ".join(line.split()) for line in account_table(None, known).splitlines()}
    assert told >= {"Memory asked, enough 6144Mi, 640Mi", "Cores asked, enough 0.9, 0.5"}


def test_no_more_memory_is_enough_than_all_shards_were_done_with() -> None:
    most = stored("A", "x", 1, used={"memory": 6 << 30})
    known = took(planned().run, merged([most, stored("A", "y", 1)]).work, clusters(1, 2))
    assert known.memory is not None
    assert (known.memory.median, known.memory.enough, known.cores) == (6 << 30, 6 << 30, None)


def test_the_most_that_results_may_state_is_told() -> None:
    most = {"bytes": 1 << 60, "used": {"memory": 1 << 60}}
    merge, kind = merged(stored("A", shard, 1, **most) for shard in "stuvwxyz"), saved_sums(None)
    known = took(planned().run, merge.work, clusters(1, 2))
    assert (known.bytes, known.memory and known.memory.most) == (1 << 63, 1 << 60)
    assert kind.validate_json(kind.dump_json(merge.datasets))["A"].bytes == 1 << 63


def test_bytes_cost_what_their_clusters_pay() -> None:
    there = {"name": "there", "price_per_gb_in": 0.1, "price_per_gb_out": 0.2}
    expected = expecting({"there": {"A": "x"}, "free": {"A": "y"}})
    file = {"name": "skim.root", "size": 10 * 10**9, "sha256": "0" * 64}
    results = [stored("A", shard, 1, bytes=50 * 10**9, files=[file]) for shard in "xy"]
    both = clusters(1, 1, **there) + clusters(1, 1, name="free")
    known = took(planned().run, merged(results, [], expected=expected).work, both)
    assert known.cost_of_bytes == 5.0 + 2.0
    assert predict(planned().run, both, 50e9).cost_of_bytes == 5.0
    assert predict(planned().run, clusters(1, 1), 50e9).cost_of_bytes is None


def test_a_cluster_that_is_deleted_once_its_share_is_done_costs_no_more() -> None:
    """100 pods after each other on one, 300 on the other, each of 4.2 s: 420 and 1,260 s."""
    both = clusters(1, 100, name="short", nodes=1, cores=1) + clusters(1, 300, name="long", nodes=1, cores=1)
    expected = expecting({"short": {"A": "x"}, "long": {"A": "y"}})
    ends = {"x": "00:20:00", "y": "01:00:00"}
    results = [
        stored("A", shard, 1, seconds={"stage_in": 0, "compute": 600}, finished=f"2026-01-02T{end}Z")
        for shard, end in ends.items()
    ]
    work = merged(results, expected=expected).work
    for cleanup, should, did in (("jobs", 2520, 50 * 120), ("clusters", 1680, (10 + 50) * 60)):
        run = planned(run={"cleanup": cleanup}).run
        assert predict(run, both, 1.0).cost == round(0.95 * should / 3600, 2)
        assert took(run, work, both).cost == round(0.95 * did / 3600, 2)


def test_what_a_resumed_run_finds_done_is_not_predicted() -> None:
    half = predict(planned().run, clusters(2, 10), 1e6, {dataset().name: 10})
    assert (half.shards, half.pods, half.bytes) == (10, 10, 10_000_000)
    assert predict(planned().run, clusters(2, 10), 1e6, {dataset().name: 99}).shards == 0


def test_no_more_shards_are_predicted_than_there_are_files() -> None:
    refs = [dataset("A", files=8, max_shards=1000), dataset("B", files=8, max_shards=3)]
    assert predict(planned().run, clusters(1, 0, datasets=refs), None).shards == 8 + 3
    assert predict(planned().run, clusters(1, 0, datasets=[*refs, dataset("C")]), None) == Account()


def test_what_earlier_runs_took_is_not_counted() -> None:
    work = {"bytes": 700, "seconds": {"stage_in": 30, "compute": 570}}
    objects = [
        stored("A", "x", 1, finished="2026-01-02T03:10:00Z", **work),
        stored("A", "y", 1, finished="2026-02-02T03:10:00Z", **work),
    ]
    merge = merged(objects, since=datetime(2026, 2, 1, tzinfo=UTC))
    assert merge.datasets["A"].shards == 2
    assert took(planned().run, merge.work, clusters(1, 2)) == Account(
        shards=1,
        bytes=700,
        bytes_out=len(objects[1][1]),
        seconds=600.0,
        core_hours=round(600 * 0.9 / 3600, 3),
        cost=round(22 * 0.95 / 6, 2),
    )


def test_a_campaign_s_next_run_is_predicted_from_its_last_whole_one(s3: Kind) -> None:
    run = planned(run={"output": f"{s3.url}/out/first", "output_connection": "with_keys"}).run
    few, more = clusters(1, 12, nodes=1, cores=2), clusters(1, 24, nodes=1, cores=2)  # two pods at once
    seconds, ends = (
        {"stage_in": 20, "compute": 100},
        [f"2026-01-02T03:{n // 2 * 2 + 2:02}:00Z" for n in range(12)],
    )
    shards = [
        stored("A", f"{end}{n}", 1, bytes=10**9, seconds=seconds, finished=end) for n, end in enumerate(ends)
    ]
    work = merged(shards).work
    assert (
        measure(run, few, [[13]], work)
        is measure(run, few, [[1]], merged([stored("A", "x", 1)]).work)
        is None
    )
    late = stored("A", "late", 1, bytes=10**9, seconds=seconds, finished="2026-01-03T03:00:00Z")
    assert measure(run, few, [[13]], merged([*shards, late]).work) is None
    rates = measure(run, few, [[12]], work)
    assert rates is not None
    keep_rates(run, rates)
    assert (work.seconds, recorded_rates(run).shard) == (720, 1e9)
    found = predict(run, few, 1e9, rates=recorded_rates(run))
    assert (found.seconds, relative_error(found, took(run, work, few))) == (720.0, 0.0)
    assert predict(run, more, 1e9, rates=recorded_rates(run)).seconds == 2 * 720.0
    slower = run.model_copy(update={"download_limit_kbps": 10_000})  # 100 s for 1 GB, instead of 20
    assert recorded_rates(slower).seconds(slower, 1, 1e9) == pytest.approx(4 + 0.2 + 100 + 100)
    other = run.model_copy(update={"workload": "own"})
    s3.put_all([("out/rates.json", recorded_rates(run).model_dump_json().encode())])
    assert recorded_rates(other) == built_in(other)
    for damaged in (b"", b"{}", b'{"workload": "nanoaod", "stage_in": 0, "analysis": 1}'):
        s3.put_all([("out/rates.json", damaged)])
        assert recorded_rates(run) == built_in(run)


def test_both_stand_side_by_side() -> None:
    predicted = Account(shards=26_920, pods=26_920, bytes=70 * 10**12, seconds=300.0, cost=12.5)
    actual = Account(shards=26_919, bytes=69 * 10**12, seconds=320.0)
    assert account_table(predicted, actual).splitlines() == [
        "           predicted      took",
        "Shards         26920     26919",
        "Pods           26920",
        "Bytes          70 TB     69 TB",
        "Seconds          300       320",
        "Off by                     +7%",
        "Bandwidth   233 GB/s  216 GB/s",
        "Cost           12.50",
    ]
