"""A pod that reads from one store and writes to another, each reached in its own way."""

from pathlib import Path

import pytest

from gcs_server import Gcs
from pod_process import Pod
from s3_server import Bucket


@pytest.fixture
def gcs_bucket(gcs: Gcs, bucket: Bucket) -> str:
    gcs.make_bucket(bucket.name)
    return bucket.name


@pytest.mark.parametrize("source", ["gs", "s3"])
def test_shards_in_one_kind_of_store_give_results_in_the_other(
    pod: Pod, shard_file: Path, gcs: Gcs, gcs_bucket: str, bucket: Bucket, source: str
) -> None:
    gcs.put(gcs_bucket, "a.root", shard_file.read_bytes())
    bucket.write("a.root", shard_file.read_bytes())
    urls = [f"gs://{gcs_bucket}", f"s3://{bucket.name}"]
    there, other = urls if source == "gs" else reversed(urls)
    pod.environ |= gcs.environ | bucket.environ | {"OUTPUT_URL": f"{other}/from-{source}"}
    pod.give({"name": "a", "url": f"{there}/a.root", "size": shard_file.stat().st_size})
    ended = pod.run()
    assert (ended.code, ended.stderr) == (0, "")
    written = bucket.keys("from-") if source == "gs" else gcs.keys(gcs_bucket, "from-")
    assert written == [f"from-{source}/a.json"]


def test_two_stores_of_one_kind_are_told_apart(pod: Pod, shard_file: Path, bucket: Bucket) -> None:
    bucket.write("a.root", shard_file.read_bytes())
    bucket.client.put_object_acl(Bucket=bucket.name, Key="a.root", ACL="public-read")
    endpoint = bucket.environ["AWS_ENDPOINT_URL"]
    pod.environ |= {"INPUT_AWS_ENDPOINT_URL": endpoint, "INPUT_AWS_REGION": "us-east-1"}
    pod.environ |= {"INPUT_AWS_SKIP_SIGNATURE": "true"}
    pod.environ |= {f"OUTPUT_{name}": value for name, value in bucket.environ.items()}
    pod.environ["OUTPUT_URL"] = f"s3://{bucket.name}/results"
    pod.give({"name": "a", "url": f"s3://{bucket.name}/a.root", "size": shard_file.stat().st_size})
    ended = pod.run()
    assert (ended.code, ended.stderr) == (0, "")
    assert bucket.keys() == ["a.root", "results/a.json"]


def test_the_requester_pays_where_the_connection_said_so(
    pod: Pod, shard_file: Path, gcs: Gcs, gcs_bucket: str
) -> None:
    gcs.put(gcs_bucket, "data/a.root", shard_file.read_bytes())
    gcs.payers.clear()
    pod.environ |= gcs.environ | {"GOOGLE_USER_PROJECT": "who-pays-for-it"}
    pod.environ["OUTPUT_URL"] = f"gs://{gcs_bucket}/paid"
    pod.give({"name": "a", "url": f"gs://{gcs_bucket}/data/a.root", "size": shard_file.stat().st_size})
    assert pod.run().code == 0
    assert set(gcs.payers) == {"who-pays-for-it"}
