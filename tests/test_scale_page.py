"""What `docs/scale.md` says of sizes and limits is what the code does."""

from itertools import islice
from pathlib import Path

from higgsdemo.catalogue import load_catalogue
from higgsdemo.datasets.packing import PODS_A_SECOND
from higgsdemo.datasets.shards import Shard
from higgsdemo.kubernetes.jobs import MANIFEST_BYTES, chunks
from higgsdemo.operators.base import most_mapped
from rehearsal.names import files


def test_sizes_and_limits_are_those_of_the_code(repository: Path) -> None:
    page = (repository / "docs" / "scale.md").read_text()
    listed = islice(files(load_catalogue("cms-higgs")), 20_000)
    shards = (Shard("D", Path(key).stem, f"s3://higgs-demo/{key}", size) for key, size in listed)
    made = list(chunks(shards, 1))
    each = sum(len(chunk.text) for chunk in made) / 20_000
    for said in (
        f"{round(each, -1):.0f} bytes each",
        f"{MANIFEST_BYTES // 1000} kB are a Job",
        f"each {round(20_000 / len(made), -2):,.0f} files",
        f"{2 * 2**30 / each / 1e6:.0f} to {8 * 2**30 / each / 1e6:.0f} million files",
        f"{PODS_A_SECOND:.0f} a second for each control plane",
        f"{most_mapped():,} clusters",
    ):
        assert said in page, said
