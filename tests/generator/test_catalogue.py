import csv

from generator.catalogue import DEMO, demo_datasets


def test_every_group_of_the_analysis_is_there_and_every_channel_has_data_of_both_years() -> None:
    datasets = demo_datasets()
    assert {dataset.group for dataset in datasets} == {"data", "higgs", "zz", "dy", "ttbar"}
    recorded = {(d.year, channel) for d in datasets if d.group == "data" for channel in d.channels}
    assert recorded == {(year, channel) for year in (2011, 2012) for channel in ("4mu", "4e", "2e2mu")}


def test_the_files_of_a_dataset_hold_the_events_that_its_sample_names() -> None:
    with (DEMO / "samples.csv").open(newline="") as file:
        samples = {row["sample"]: row for row in csv.DictReader(file)}
    for dataset in demo_datasets():
        generated = samples[dataset.name.lower()]["generated_events"]
        assert generated in ("", str(dataset.files * dataset.events_per_file))
        assert 5000 <= dataset.events_per_file <= 20000


def test_every_dataset_has_a_prefix_of_its_own_below_demo() -> None:
    prefixes = [dataset.prefix for dataset in demo_datasets()]
    assert len(set(prefixes)) == len(prefixes)
    assert all(prefix.startswith("demo/") for prefix in prefixes)
