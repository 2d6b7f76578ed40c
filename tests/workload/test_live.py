"""The live copy of results: as in 2019 in a Redis hash, and never more than a copy."""

from pathlib import Path
from urllib.parse import quote

import pytest

from pod_process import Pod, shard
from redis_server import PASSWORD, RedisServer
from workload.live import KEPT_SECONDS


def of(server: RedisServer, password: str = PASSWORD) -> dict[str, str]:
    return {"LIVE_URL": f"redis://:{quote(password, safe='')}@127.0.0.1:{server.port}/0"}


@pytest.mark.parametrize(
    ("given", "key"), [({"LIVE_KEY": "demo-local/run-1"}, "demo-local/run-1"), ({}, "data")]
)
def test_each_result_is_in_the_hash_of_its_run_or_in_that_of_2019_as_it_is_in_the_bucket(
    pod: Pod, shard_file: Path, redis_server: RedisServer, given: dict[str, str], key: str
) -> None:
    pod.environ |= of(redis_server) | given
    entries = [shard(shard_file), shard(shard_file, name="again")]
    pod.give(*entries)
    assert pod.run().code == 0
    copies = redis_server.client.hgetall(key)
    assert copies == {entries[0]["url"]: (pod.output / "again.json").read_text()}
    assert 0 < redis_server.client.ttl(key) <= KEPT_SECONDS


@pytest.mark.parametrize("what", ["gone", "another password", "no URL"])
def test_a_pod_goes_on_without_redis_and_says_so_once(
    pod: Pod, shard_file: Path, redis_server: RedisServer, what: str
) -> None:
    pod.environ |= of(redis_server, "wrong" if what == "another password" else PASSWORD)
    if what == "gone":
        redis_server.stop()
    elif what == "no URL":
        pod.environ["LIVE_URL"] = "127.0.0.1"
    pod.give(shard(shard_file), shard(shard_file, name="again"))
    ended = pod.run()
    assert (ended.code, pod.results()) == (0, ["again.json", "higgs_000.json"])
    assert ended.stdout.count("no more live copies") == 1
    assert "word" not in ended.stdout + ended.stderr
