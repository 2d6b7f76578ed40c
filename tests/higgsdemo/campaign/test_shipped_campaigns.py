"""The campaigns that ship with the project."""

import json
import subprocess
import sys
from pathlib import Path

from higgsdemo.campaign import Cluster, load_campaign, parse_campaign
from higgsdemo.catalogue import load_catalogue

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "include" / "config"


def clusters(name: str) -> list[Cluster]:
    return load_campaign(CONFIG / name).clusters()


def shards(cluster: Cluster) -> int:
    return sum(min(dataset.files or 0, dataset.max_shards or 10**9) for dataset in cluster.datasets)


def test_the_demo_runs_every_simulated_dataset_on_three_local_clusters() -> None:
    campaign = load_campaign(CONFIG / "demo-local.json")
    demo = campaign.clusters()
    assert [(cluster.name, cluster.provider, cluster.flavor) for cluster in demo] == [
        (f"kubecon-demo-{position}", "local", "local-1") for position in range(3)
    ]
    assert {d.name for cluster in demo for d in cluster.datasets} == set(load_catalogue("demo").datasets)
    assert (campaign.storage.connection, campaign.cleanup) == ("higgs_s3", "clusters")
    assert "simulated" in campaign.title.lower()
    assert "not CMS collisions" in campaign.description


def test_the_demo_on_k3s_runs_the_same_datasets_on_a_cluster_that_is_there() -> None:
    (cluster,) = clusters("demo-k3s.json")
    assert (cluster.provider, cluster.name) == ("existing", "k3s")
    assert {dataset.name for dataset in cluster.datasets} == set(load_catalogue("demo").datasets)


def test_the_analysis_of_ones_own_runs_over_the_muon_data() -> None:
    campaign = load_campaign(CONFIG / "dimuon.json")
    (cluster,) = campaign.clusters()
    assert {dataset.sample for dataset in cluster.datasets} == {
        dataset.sample.name
        for dataset in load_catalogue("demo").datasets.values()
        if "DoubleMu" in dataset.name
    }
    assert [(h.name, h.bins, h.low, h.high) for h in campaign.histograms] == [("dimuon_mass", 60, 60, 120)]


def test_the_minimal_campaign_is_one_gke_cluster_with_a_few_shards() -> None:
    (cluster,) = clusters("higgs-minimal.json")
    assert (cluster.provider, cluster.nodes, shards(cluster)) == ("gke", 1, 16)


def test_the_full_campaign_runs_every_file_once_on_ten_clusters_of_the_keynotes_shape() -> None:
    campaign = load_campaign(CONFIG / "higgs-full.json")
    full, shared = campaign.clusters(), campaign.shared_datasets()
    assert sum(dataset.files or 0 for dataset in shared) == 26_920
    assert sorted(dataset.name for dataset in shared) == sorted(load_catalogue("cms-higgs").datasets)
    assert [cluster.name for cluster in full] == [f"kubecon-demo-{position}" for position in range(10)]
    assert {(c.provider, c.flavor, c.nodes, c.dpath, c.capacity) for c in full} == {
        ("gke", "n1-highmem-16", 22, "/dev/shm", 3 * 22 * 16)
    }
    assert [cluster.datasets for cluster in full] == [()] * 10


def test_the_open_data_are_eight_public_files_that_many_pods_stream() -> None:
    campaign = load_campaign(CONFIG / "cms-open-data-2012.json")
    shared = campaign.shared_datasets()
    assert {dataset.name for dataset in shared} == set(load_catalogue("cms-open-data-2012").datasets)
    assert {(dataset.is_file, dataset.files, dataset.url.split("/")[2]) for dataset in shared} == {
        (True, 1, "opendata.cern.ch")
    }
    assert (campaign.read, campaign.shard_events, campaign.storage.connection) == ("stream", 500_000, "")
    assert {cluster.input_connection for cluster in campaign.clusters()} == {""}


def test_loading_a_campaign_imports_neither_airflow_nor_a_cloud() -> None:
    program = (
        "import pathlib, sys\n"
        "from higgsdemo.campaign import load_campaign, param_schemas\n"
        f"param_schemas(load_campaign(pathlib.Path({str(CONFIG / 'higgs-full.json')!r})))\n"
        "print(sorted({'airflow', 'kubernetes', 'kubernetes_asyncio', 'boto3', 'numpy'} & set(sys.modules)))"
    )
    environment = {"PYTHONPATH": str(ROOT / "plugins")}
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"


def test_a_command_needs_no_histograms_and_may_be_given_parts_of_files() -> None:
    document = json.loads((CONFIG / "skim.json").read_text()) | {"shard_events": 1000, "histograms": []}
    campaign = parse_campaign(document, "skim.json")
    assert (campaign.counted, campaign.shard_events) == ([], 1000)
