"""Campaign files: which there are, how they are read, and the original tool's form."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from higgsdemo.campaign import CampaignError, config_files, config_folder, load_campaign
from higgsdemo.catalogue import load_catalogue
from tables import cases


@pytest.fixture
def written(tmp_path: Path):
    def write(content: bytes | str, name: str = "campaign.json") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def message(path: Path) -> str:
    with pytest.raises(CampaignError) as refused:
        load_campaign(path)
    return str(refused.value).removeprefix(str(path))


def test_a_campaign_comes_with_its_clusters_and_a_changed_copy_with_others(repository: Path) -> None:
    campaign = load_campaign(repository / "include/config/demo-local.json")
    assert "resolved" in vars(campaign)
    others = campaign.model_copy(update={"namespace": "other"}).clusters()
    assert {cluster.namespace for cluster in others} == {"other"} != {campaign.clusters()[0].namespace}


def test_the_list_of_the_original_loads_without_edits(written) -> None:
    names = list(load_catalogue("cms-higgs").datasets)
    original = [
        {
            "datasets": [f"datasets_s3/{name}_file_index.txt" for name in names[position::10]],
            "flavor": "n1-highmem-16",
            "nodes": "22",
            "dpath": "/dev/shm",
        }
        for position in range(10)
    ]
    campaign = load_campaign(written(json.dumps(original), "demo-high-mem.json"))
    clusters = campaign.clusters()
    known = (campaign.workload, campaign.catalogue, campaign.download_limit_kbps)
    assert known == ("aod", "cms-higgs", 50_000)
    storage = {"input": "s3://higgs-demo", "output": "s3://higgs-results", "connection": "aws_default"}
    assert campaign.storage.model_dump(exclude_none=True, exclude={"portal"}) == storage
    assert [cluster.name for cluster in clusters] == [f"kubecon-demo-{position}" for position in range(10)]
    assert {(c.provider, c.connection, c.location, c.flavor, c.nodes, c.dpath) for c in clusters} == {
        ("gke", "google_cloud_default", "europe-west4", "n1-highmem-16", 22, "/dev/shm")
    }
    assert sum(dataset.files or 0 for cluster in clusters for dataset in cluster.datasets) == 26_920
    assert clusters[0].datasets[0].model_dump() == {
        "name": names[0],
        "url": "s3://higgs-demo/eos/opendata/cms/MonteCarlo2011/Summer11LegDR/DYJetsToLL_M-10To50_TuneZ2_7TeV-"
        "pythia6/AODSIM/PU_S13_START53_LV6-v1/00000/",
        "index": None,
        "sample": "sm11legdr_dyjetstoll_m-10to50_tunez2_7tev-py6",
        "datatype": "mc",
        "max_shards": None,
        "files": 1771,
        "match": "*.root",
        "certified": None,
    }


def lists_of_2019() -> dict[str, list[dict[str, Any]]]:
    """Return the original's two files by their rule: 35 paths of 31 datasets, and nine of these again."""
    names = list(load_catalogue("cms-higgs").datasets)
    higgs = [name for name in names if "SMHiggsToZZTo4L" in name]
    others = [name for name in names if name not in higgs]
    small, whole = others[:15], [*higgs, *higgs, *higgs, *others[15:29]]
    paths = [f"min_datasets_s3/{name}_file_index.txt" for name in small]
    paths += [f"datasets_s3/{name}_file_index.txt" for name in whole]
    shape = {"flavor": "n1-highmem-16", "nodes": "22", "dpath": "/dev/shm"}
    more = [{"datasets": [path.removeprefix("min_")]} | shape for path in paths[:9]]
    first = {"datasets": paths} | shape
    return {"minimal": [first], "full": [first, *more]}


@pytest.mark.parametrize(
    ("which", "per_cluster", "first_files", "dropped"),
    [("minimal", [31], 15, 4), ("full", [22, *[1] * 9], 6, 13)],
)
def test_the_files_of_2019_run_each_dataset_once_and_whole_where_they_say_so_anywhere(
    written, which: str, per_cluster: list[int], first_files: int, dropped: int
) -> None:
    campaign = load_campaign(written(json.dumps(lists_of_2019()[which])))
    clusters = campaign.clusters()
    refs = [ref for cluster in clusters for ref in cluster.datasets]
    assert [cluster.name for cluster in clusters] == [f"kubecon-demo-{i}" for i in range(len(per_cluster))]
    assert [len(cluster.datasets) for cluster in clusters] == per_cluster
    assert len({ref.name for ref in refs}) == 31
    assert [ref.max_shards for ref in refs].count(1) == first_files
    assert len(campaign.remarks) == dropped
    assert "[0].datasets[17] is dropped: [0].datasets[15] is the same dataset" in campaign.remarks
    whole = "[0].datasets[8] is dropped: [9].datasets[0] is the same dataset, whole"
    assert (whole in campaign.remarks) == (which == "full")


def test_a_mistake_beside_what_is_dropped_is_located_where_the_list_has_it(written) -> None:
    entries = lists_of_2019()["full"]
    entries[0]["datasets"][34] = "datasets_s3/none_file_index.txt"
    entries[5]["datasets"] *= 2
    assert message(written(json.dumps(entries))).startswith(': [0].datasets[34] is "datasets_s3/none_file')
    entries[0]["datasets"][34] = "s3://higgs-demo/eos/opendata/cms/"
    assert 'inside "s3://higgs-demo/eos/opendata/cms/" of [0].datasets[34]: its events' in message(
        written(json.dumps(entries))
    )


def test_an_entry_with_nothing_of_its_own_makes_no_cluster_and_the_others_keep_their_names(written) -> None:
    one, two = lists_of_2019()["full"][1:3]
    campaign = load_campaign(written(json.dumps([one, one, two])))
    assert [cluster.name for cluster in campaign.clusters()] == ["kubecon-demo-0", "kubecon-demo-2"]
    assert message(written(json.dumps([one, one, two | {"nodes": "0"}]))).startswith(": [2].nodes is")


@pytest.mark.parametrize(
    ("directory", "bucket", "connection"),
    [
        ("datasets_s3", "s3://higgs-demo", "aws_default"),
        ("min_datasets_s3", "s3://higgs-demo", "aws_default"),
        ("datasets_gs", "gs://higgs-demo", "google_cloud_default"),
        ("datasets", "gs://higgs-demo", "google_cloud_default"),
    ],
)
def test_the_path_of_an_index_file_says_which_store_the_original_read(
    written, directory: str, bucket: str, connection: str
) -> None:
    name = "CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20003"
    entry = {"datasets": [f"{directory}/{name}_file_index.txt"], "flavor": "n1-highmem-16", "nodes": "1"}
    campaign = load_campaign(written(json.dumps([entry])))
    (cluster,) = campaign.clusters()
    assert (campaign.storage.input, campaign.storage.connection) == (bucket, connection)
    assert cluster.datasets[0].url.startswith(f"{bucket}/eos/")
    assert cluster.datasets[0].max_shards == (1 if directory.startswith("min_") else None)


def test_the_original_staged_in_on_the_ssd_when_it_was_told_nothing(written) -> None:
    entry = {"datasets": ["CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20003"], "flavor": "n1-highmem-16"}
    assert load_campaign(written(json.dumps([entry]))).clusters()[0].dpath == "/mnt/disks/ssd0"


def test_a_mistake_in_a_list_is_located_in_the_list(written) -> None:
    entry = {"datasets": ["CMS_Run2012C_DoubleElectron_AOD_22Jan2013-v1_20003"], "flavor": "f", "nodes": "0"}
    assert (
        message(written(json.dumps([entry])))
        == ': [0].nodes is "0"; it must be a whole number from 1 to 2147483647'
    )
    entry |= {"nodes": "1", "flavor": None}
    assert message(written(json.dumps([entry]))) == (
        ': [0] needs the field "flavor": a machine type of gke'  # a list has no defaults to give it in
    )
    assert message(written("[]")) == ": the list is empty; it needs at least one entry"


@cases
def test_a_file_that_is_no_campaign_is_refused(written, content: bytes | str, expected: str) -> None:
    assert expected in re.split("^: |\n- ", message(written(content)))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert message(tmp_path / "none.json") == ": the file cannot be read: No such file or directory"
    (tmp_path / "folder.json").mkdir()
    assert message(tmp_path / "folder.json") == ": the file cannot be read: Is a directory"


def test_a_long_list_of_problems_is_cut(written) -> None:
    lines = message(written(json.dumps([{"datasets": []}] * 30))).split("\n")
    assert (lines[0], len(lines), lines[-1]) == (" has 30 problems:", 22, "- and 10 more")


def test_a_byte_order_mark_is_no_mistake(written, changed) -> None:
    path = written(b"\xef\xbb\xbf" + json.dumps(changed({"title": "Größe"})).encode())
    assert load_campaign(path).title == "Größe"


def test_a_file_whose_name_is_no_dag_id_is_refused(written) -> None:
    assert message(written("{}", "my campaign (1).json")) == (
        ": the file's name without .json is \"my campaign (1)\"; it becomes the DAG's id, so it must be at "
        "most 200 letters, digits, dots, hyphens and underscores, with a letter or digit at both ends"
    )


def test_schemas_hidden_files_and_others_are_no_campaigns(tmp_path: Path) -> None:
    for name in ("b.json", "a.json", "campaign.schema.json", ".a.json", "a.json~", "notes.md"):
        (tmp_path / name).touch()
    assert config_files(tmp_path) == [tmp_path / "a.json", tmp_path / "b.json"]


def test_campaigns_lie_beside_the_dags_or_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config_folder(Path("/some/dags")) == Path("/some/include/config")
    monkeypatch.setenv("HIGGS_CONFIG", "/of/a/team")
    assert config_folder(Path("/some/dags")) == Path("/of/a/team")


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CampaignError) as refused:
        config_files(tmp_path / "config")
    assert (
        str(refused.value) == f"{tmp_path}/config: the directory cannot be listed: No such file or directory"
    )
