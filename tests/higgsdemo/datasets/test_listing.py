"""Datasets on servers that are open to everybody, cut into shards: listed without an Airflow connection."""

from pathlib import Path
from typing import Any

import pytest

from clustered_file import EVENTS
from higgsdemo.campaign import DatasetRef
from higgsdemo.datasets.listing import Listing, incomplete, list_datasets
from higgsdemo.datasets.shards import ListingError, Shard, parse_line
from higgsdemo.storage.object_store import ObjectStore, StorageError
from planned_runs import planned
from stores import Kind
from web_server import WebServer
from xrootd_stand_in import XrootdStandIn

PREFIX = "eos/opendata/cms/derived-data/AOD2NanoAODOutreachTool/ForHiggsTo4Leptons"
MUONS = "Run2012B_DoubleMuParked"
WHOLE_UB = 4436.5e6
STREAM = {"catalogue": "cms-open-data-2012", "read": "stream", "shard_events": 10_000}


@pytest.fixture(params=["https", "root", "s3"])
def served(request: pytest.FixtureRequest, clustered_file: Path) -> str:
    """Put the clustered file, as the muons of 2012B, on a server of each kind; return the URL above it."""
    content, key = clustered_file.read_bytes(), f"{PREFIX}/{MUONS}.root"
    if request.param == "https":
        server: WebServer = request.getfixturevalue("web_server")
        return server.put(key, content).removesuffix(f"/{key}")
    if request.param == "root":
        files: XrootdStandIn = request.getfixturevalue("xrootd")
        files.pipe_file(f"/{key}", content)
        return "root://eos.example.org/"
    kind: Kind = request.getfixturevalue("s3")
    kind.put_all([(key, content)])
    return kind.url


def ref(url: str, **more: Any) -> DatasetRef:
    return DatasetRef(name=MUONS, url=url, sample="run2012b_doublemuparked", **more)


def listed(dataset: DatasetRef, folder: Path, **run: Any) -> tuple[Listing, list[Shard]]:
    output = ObjectStore("https://nowhere.example.org", "")
    connection = "with_keys" if dataset.url.startswith("s3") else ""
    (listing,) = list_datasets(planned(run=STREAM | run).run, [dataset], connection, output, folder)
    return listing, [parse_line(line) for line in listing.lines.read_bytes().splitlines()]


def test_one_large_file_becomes_shards_for_many_pods(
    served: str, clustered_file: Path, tmp_path: Path
) -> None:
    url = f"{served}/{PREFIX}/{MUONS}.root"
    listing, shards = listed(ref(f"{url}/", files=1), tmp_path)
    size = clustered_file.stat().st_size
    assert [shard.name for shard in shards] == [
        f"{MUONS}_{start:05}-{start + 10_000:05}" for start in range(0, EVENTS, 10_000)
    ]
    assert {(shard.url, shard.size, shard.events) for shard in shards} == {(url, size, EVENTS)}
    assert all(shard.etag for shard in shards)
    assert [shard.lumi for shard in shards] == [{"stream": "mu_stream_2012", "value": WHOLE_UB / 4}] * 4
    assert listing.counts == {"shards": 4, "bytes": pytest.approx(size, abs=4), "done": 0}
    assert (listing.files, incomplete(listing, "")) == (1, None)
    for_a_command = {"workload": "command", "read": "stage-in"}
    assert listed(ref(f"{url}/"), tmp_path, **for_a_command)[1] == shards


def test_some_ranges_are_a_part_of_the_luminosity(served: str, tmp_path: Path) -> None:
    listing, shards = listed(ref(f"{served}/{PREFIX}/{MUONS}.root/", max_shards=1, files=1), tmp_path)
    assert [shard.entries for shard in shards] == [(0, 10_000)]
    assert shards[0].lumi == {"stream": "mu_stream_2012", "value": WHOLE_UB / 4}
    assert incomplete(listing, "") is None


def test_without_a_number_of_events_a_file_is_one_shard_of_a_known_version(
    served: str, clustered_file: Path, tmp_path: Path
) -> None:
    (shard,) = listed(ref(f"{served}/{PREFIX}/{MUONS}.root/"), tmp_path, shard_events=None)[1]
    assert (shard.name, shard.entries) == (MUONS, None)
    assert (shard.size, bool(shard.etag)) == (clustered_file.stat().st_size, True)
    assert shard.lumi == {"stream": "mu_stream_2012", "value": WHOLE_UB}


def test_a_file_that_is_not_there_is_no_dataset(served: str, tmp_path: Path) -> None:
    listing, shards = listed(ref(f"{served}/{PREFIX}/Run2012D.root/", files=1), tmp_path)
    assert shards == []
    assert incomplete(listing, "") == (
        f"dataset {MUONS}: no file that matches *.root at {served}/{PREFIX}/Run2012D.root; is the URL right?"
    )


def test_a_file_that_is_named_as_a_part_of_another_is_a_shard_beside_all_its_parts(
    s3: Kind, clustered_file: Path, tmp_path: Path
) -> None:
    part = f"mu_00000-{EVENTS // 2}"
    keys = (f"mu/{name}.root" for name in ("mu", part, f"{part}-1a2b3c4d"))
    s3.put_all([(key, clustered_file.read_bytes()) for key in keys])
    shards = listed(ref(f"{s3.url}/mu/"), tmp_path, shard_events=EVENTS // 2)[1]
    assert len({shard.name for shard in shards}) == 6
    assert [shard.name for shard in shards[:2]] == [part, f"mu_{EVENTS // 2}-{EVENTS}"]
    assert sum(shard.share for shard in shards) == 3


def test_a_file_that_cannot_be_cut_is_left_to_its_pod(web_server: WebServer, tmp_path: Path) -> None:
    url = web_server.put("a.root", b"no ROOT file at all" * 1000)
    (shard,) = listed(ref(f"{url}/"), tmp_path)[1]
    assert (shard.name, shard.entries) == ("a", None)


@pytest.fixture
def index(web_server: WebServer, clustered_file: Path) -> str:
    """Return the URL of an index file of two files, of which one is not there."""
    urls = [web_server.put("data/a.root", clustered_file.read_bytes()), f"{web_server.url}/data/b.root"]
    return web_server.put("lists/mine_file_index.txt", "\n".join(urls).encode())


def test_an_index_file_on_a_web_server_names_files_to_cut(
    index: str, web_server: WebServer, clustered_file: Path, tmp_path: Path
) -> None:
    dataset = ref(f"{web_server.url}/", index=index)
    shards = listed(dataset, tmp_path, shard_events=20_000)[1]
    assert [(shard.url.rpartition("/")[2], shard.entries) for shard in shards] == [
        ("a.root", (0, 20_000)),
        ("a.root", (20_000, 40_000)),
        ("b.root", None),
    ]
    assert [shard.size for shard in shards] == [clustered_file.stat().st_size] * 2 + [None]


def test_an_index_file_that_is_not_there_is_named(web_server: WebServer, tmp_path: Path) -> None:
    dataset = ref(f"{web_server.url}/", index=f"{web_server.url}/no_file_index.txt")
    with pytest.raises(StorageError, match=r"cannot read .*/no_file_index\.txt: there is no such"):
        listed(dataset, tmp_path)
    web_server.put("no_file_index.txt", b"ftp://elsewhere/a.root")
    with pytest.raises(ListingError, match=f"dataset {MUONS} names an index file with a mistake"):
        listed(dataset, tmp_path)


def test_a_directory_of_an_xrootd_server_is_listed(
    xrootd: XrootdStandIn, clustered_file: Path, tmp_path: Path
) -> None:
    for name in ("b", "a", "deeper/c"):
        xrootd.pipe_file(f"/eos/data/{name}.root", clustered_file.read_bytes())
    shards = listed(ref("root://eos.example.org//eos/data/"), tmp_path, shard_events=None)[1]
    assert [shard.url for shard in shards] == [
        f"root://eos.example.org//eos/data/{name}.root" for name in ("a", "b", "deeper/c")
    ]
    assert {(shard.size, shard.etag) for shard in shards} == {(clustered_file.stat().st_size, "1")}


def test_an_index_file_may_lie_on_an_xrootd_server(xrootd: XrootdStandIn, tmp_path: Path) -> None:
    server = "root://eos.example.org//"
    xrootd.pipe_file("/lists/mine_file_index.txt", f"{server}eos/a.root\n{server}eos/b.root".encode())
    xrootd.pipe_file("/eos/a.root", b"x" * 7)
    dataset = ref(server, index=f"{server}lists/mine_file_index.txt")
    shards = listed(dataset, tmp_path, shard_events=None)[1]
    assert [(shard.url, shard.size) for shard in shards] == [
        (f"{server}eos/a.root", 7),
        (f"{server}eos/b.root", None),
    ]


def test_a_server_whose_certificate_is_not_trusted_is_told_of(
    web_server: WebServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = web_server.put("a.root", b"x")
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(StorageError, match=r"cannot look up .*: its certificate is not trusted"):
        listed(ref(f"{url}/"), tmp_path)
