"""The demo's files reach the bucket once, under their paths."""

from pathlib import Path

import pytest

from demo import demo_data
from demo.bucket import Bucket
from demo.demo_data import bucket_name, fill_bucket, make_buckets, reads_bucket, reads_demo
from demo.files import write_private
from demo.ports import Ports
from demo.settings import Settings, campaign_file
from higgsdemo.campaign import load_campaign


@pytest.fixture
def settings(tmp_path: Path, s3_endpoint: str) -> Settings:
    port = int(s3_endpoint.rpartition(":")[2])
    write_private(tmp_path / "ports.json", Ports(s3=port).model_dump_json())
    return Settings.load(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two ROOT files, and another that is none."""
    folder = tmp_path / "files"
    (folder / "demo/a").mkdir(parents=True)
    for name, content in {"a/1.root": b"one", "a/2.root": b"two", "generator.json": b"{}"}.items():
        (folder / "demo" / name).write_bytes(content)
    return folder


def test_root_files_are_copied_under_their_paths_once(settings: Settings, folder: Path) -> None:
    bucket = Bucket(settings, "copied")
    bucket.create()
    bucket.create()
    assert bucket.upload(folder) == 2
    assert list(bucket.objects()) == [("demo/a/1.root", 3), ("demo/a/2.root", 3)]
    assert list(bucket.objects("demo/b")) == []
    for name, content in {"1": b"ONE", "2": b"longer"}.items():
        (folder / f"demo/a/{name}.root").write_bytes(content)
    assert bucket.upload(folder) == 2
    assert [bucket.read(f"demo/a/{name}.root") for name in "12"] == [b"one", b"longer"]


def test_a_campaign_gets_both_its_buckets(settings: Settings, folder: Path, repository: Path) -> None:
    campaign = load_campaign(repository / "include" / "config" / "demo-local.json")
    make_buckets(settings, campaign)
    assert fill_bucket(settings, campaign, folder) == 2
    source, output = (
        Bucket(settings, bucket_name(url)) for url in (campaign.storage.input, campaign.storage.output)
    )
    assert [key for key, _ in source.objects()] == ["demo/a/1.root", "demo/a/2.root"]
    assert list(output.objects()) == []


def test_a_campaign_on_public_data_has_but_a_bucket_for_its_results(
    settings: Settings, repository: Path
) -> None:
    campaign = load_campaign(repository / "include" / "config" / "cms-open-data-2012.json")
    assert not reads_bucket(campaign)
    make_buckets(settings, campaign)
    assert list(Bucket(settings, bucket_name(campaign.storage.output)).objects()) == []


def test_a_server_of_a_deployment_is_filled_by_the_usual_variables(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", settings.s3_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", settings.secrets.s3_access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", settings.secrets.s3_secret_key)
    monkeypatch.setattr(demo_data, "generate", lambda *_: folder)
    demo_data.main()
    assert capsys.readouterr().out == "2 files are in s3://higgs-demo\n"
    assert [key for key, _ in Bucket(settings, "higgs-demo").objects()] == ["demo/a/1.root", "demo/a/2.root"]
    assert list(Bucket(settings, "higgs-results").objects()) == []


@pytest.mark.parametrize(
    ("name", "storage", "filled"),
    [
        ("demo-local", {}, True),
        ("dimuon", {}, True),
        ("demo-local", {"input": "s3://mine"}, False),
        ("higgs-full", {}, False),
        ("cms-open-data-2012", {}, False),
    ],
)
def test_only_the_demos_own_bucket_is_filled_with_simulated_files(
    name: str, storage: dict[str, str], filled: bool
) -> None:
    campaign = load_campaign(campaign_file(name))
    changed = campaign.model_copy(update={"storage": campaign.storage.model_copy(update=storage)})
    assert reads_demo(changed) == filled
