"""Convert the original tool's form of a campaign, a bare list, to our own.

Entry `i` is the cluster `kubecon-demo-<i>`. The list says neither where the data are nor what to run, because
the tool knew: GKE in europe-west4, the CMSSW image over AOD files, the bucket `higgs-demo` in S3 for index
files below `..._s3/` and else in GCS, stage-in at 50,000 kB/s, and the node's local SSD without a `dpath`.

Its lists repeat datasets, some whole in one entry and as their first file (`min_datasets.../`) in another.
The tool ran such a file twice and counted it once. Here it runs once: repetitions are dropped.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from higgsdemo.campaign.datasets import MIN_DATASETS
from higgsdemo.campaign.index_files import INDEX_SUFFIX
from higgsdemo.campaign.problems import HERE_OR_IN_DEFAULTS, Path, Problem, field

Place = tuple[int, int]  # the positions of an entry, and of a dataset in it


class OriginalList:
    """The list, in our own form in `document`; `remarks` say what was dropped."""

    def __init__(self, entries: list[Any]) -> None:
        named = list(_named(entries))
        first: dict[str, Place] = {}
        for place, reference in sorted(named, key=lambda one: _is_first_file(one[1])):
            first.setdefault(_dataset(reference), place)
        again = {place: home for place, name in named if (home := first[_dataset(name)]) != place}
        self.remarks = tuple(
            f"{_written(place)} is dropped: {_written(home)} is the same dataset"
            + (", whole" if _is_first_file(dict(named)[place]) > _is_first_file(dict(named)[home]) else "")
            for place, home in again.items()
        )
        self._kept: list[tuple[int, list[int]]] = []
        mapping: list[Any] = []
        for position, entry in enumerate(entries):
            datasets = _datasets(entry)
            kept = [number for number in range(len(datasets)) if (position, number) not in again]
            if kept or not datasets:
                self._kept.append((position, kept))
                mapping.append(_with(entry, position, [datasets[number] for number in kept]))
        in_s3 = any(reference.partition("/")[0].endswith("_s3") for _, reference in named)
        store = "s3" if in_s3 else "gs"
        self.document = {
            "workload": "aod",
            "storage": {"input": f"{store}://higgs-demo", "output": f"{store}://higgs-results"},
            "download_limit_kbps": 50_000,
            "defaults": {"provider": "gke", "dpath": "/mnt/disks/ssd0"},
            "mapping": mapping,
        }

    def place(self, problem: Problem) -> Problem:
        """Return a problem in the document with its place in the list, which has no defaults."""
        text = problem.text.replace(HERE_OR_IN_DEFAULTS, "")
        return replace(problem, path=self._place(problem.path), text=text, other=self._place(problem.other))

    def _place(self, path: Path) -> Path:
        match path:
            case ("mapping", int(entry), "datasets", int(number), *rest):
                position, kept = self._kept[entry]
                return (position, "datasets", kept[number], *rest)
            case ("mapping", int(entry), *rest):
                return (self._kept[entry][0], *rest)
            case ("mapping", *rest):
                return tuple(rest)
        return path


def _named(entries: list[Any]) -> Iterator[tuple[Place, str]]:
    """Yield the datasets that are texts, with their places."""
    for position, entry in enumerate(entries):
        for number, reference in enumerate(_datasets(entry)):
            if isinstance(reference, str):
                yield (position, number), reference


def _datasets(entry: Any) -> list[Any]:
    found = entry.get("datasets") if isinstance(entry, dict) else None
    return found if isinstance(found, list) else []


def _dataset(reference: str) -> str:
    """Return the dataset of an index file, whatever its folder; else the reference itself."""
    return reference if "://" in reference else PurePosixPath(reference).name.removesuffix(INDEX_SUFFIX)


def _is_first_file(reference: str) -> bool:
    return reference.startswith(MIN_DATASETS)


def _with(entry: Any, position: int, datasets: list[Any]) -> Any:
    """Return an entry with these of its datasets, named by its place in the list."""
    return {"name": f"kubecon-demo-{position}"} | entry | {"datasets": datasets} if datasets else entry


def _written(place: Place) -> str:
    return field((place[0], "datasets", place[1]))
