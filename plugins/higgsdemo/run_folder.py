"""The keys of a run's folder in the output bucket, for everything that writes or reads there."""

import re

RECORD = "campaign.json"  # the resolved campaign
SUMS = "sums.json"  # what the results add up to, by dataset
CORRUPT = "corrupt.json"  # keys of the results that were none
SUMMARY = "summary.json"  # what the merge has found
CHART = "spectrum.json"  # the numbers of the plot
HISTOGRAMS = "histograms.root"
WORKSPACE = "workspace.json"
HEPDATA = "hepdata.yaml"
CANDIDATES = "candidates.csv"  # the events of data, by run, section and number
YIELDS, YIELDS_TABLE = "yields.csv", "yields.tex"
DATACARD, SHAPES = "datacard.txt", "datacard.root"
FILES = "files.jsonl"  # the files that a command has left, with size, checksum, dataset and shard
FILE_URLS = "files.txt"  # their URLs alone
SHARDS = "shards"  # the folder of the clusters' lists
CERTIFIED = "certified"  # the folder of the certified luminosity sections by dataset


PLOT, OWN_PLOT, SCANS = "higgs", "spectrum", "scans"
PICTURES = (PLOT, OWN_PLOT, *(f"{PLOT}_{channel}" for channel in ("4mu", "4e", "2e2mu")), SCANS)


def picture_key(own: bool, ending: str) -> str:
    """Return the key of the plot, which differs for histograms that the campaign describes."""
    return f"{OWN_PLOT if own else PLOT}.{ending}"


DOWNLOADS = {
    **dict.fromkeys((RECORD, SUMMARY, CHART, WORKSPACE), "application/json"),
    HISTOGRAMS: "application/octet-stream",
    HEPDATA: "application/yaml",
    CANDIDATES: "text/csv",
    DATACARD: "text/plain",
    SHAPES: "application/octet-stream",
    FILES: "application/jsonl",
    FILE_URLS: "text/plain",
    YIELDS: "text/csv",
    YIELDS_TABLE: "application/x-tex",
    **{f"{name}.png": "image/png" for name in PICTURES},
    **{f"{name}.svg": "image/svg+xml" for name in PICTURES},
}
"""The files for people, with their media types."""


def shards_key(cluster: str) -> str:
    """Return the key of a cluster's list of shards."""
    return f"{SHARDS}/{cluster}.jsonl"


def certified_key(dataset: str) -> str:
    """Return the key of the certified luminosity sections of a dataset."""
    return f"{CERTIFIED}/{dataset}.json"


def progress_key(cluster: str) -> str:
    """Return the key of what was last seen of a cluster's Jobs."""
    return f"progress/{cluster}.json"


def failures_key(cluster: str) -> str:
    """Return the key of a cluster's failed shards."""
    return f"failures/{cluster}.json"


def results_folder(dataset: str) -> str:
    """Return what the keys of a dataset's results begin with."""
    return f"results/{dataset}"


def files_folder(dataset: str) -> str:
    """Return what the keys of the files that a command leaves for a dataset begin with."""
    return f"files/{dataset}"


def result_key(dataset: str, shard: str) -> str:
    """Return the key of a shard's result."""
    return f"{results_folder(dataset)}/{shard}.json"


def locate(key: str) -> tuple[str, str]:
    """Return dataset and shard of a result's key; empty names for another key.

    >>> locate("results/A/mu.json"), locate("results/A/more/mu.json"), locate("results/A/mu.txt")
    (('A', 'mu'), ('', ''), ('', ''))
    """
    match = re.fullmatch("results/([^/]+)/([^/]+)[.]json", key)
    return (match[1], match[2]) if match else ("", "")
