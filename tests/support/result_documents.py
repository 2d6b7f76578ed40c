"""Result documents and a small catalogue, for the tests of what is made from them."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.catalogue import Catalogue, Channel, Dataset, Group, Sample, Uncertainty
from higgsdemo.datasets.expected import ExpectedShards, Place
from higgsdemo.physics.normalisation import Spectrum, normalise
from higgsdemo.results.document import bin_of
from higgsdemo.results.merge import Merge
from higgsdemo.run_folder import locate, result_key

FIELDS = {"4mu": "mass4mu_8TeV_low", "4e": "mass4e_8TeV_low", "2e2mu": "mass2mu2e_8TeV_low"}
ALL: tuple[Channel, ...] = ("4mu", "4e", "2e2mu")
NOTE = "Simulated data, not CMS collisions"
Names = Mapping[str, Iterable[str]]
"""Names of shards, by dataset."""

A_FILE = {"stream": "stream", "value": 1e6}
"""The luminosity of a file of data of the small catalogue: 1/pb."""


def histogram(bins: Mapping[int, int] | None = None) -> list[int]:
    """37 counts; `bins` are those that are not 0."""
    counts = [0] * 37
    for index, count in (bins or {}).items():
        counts[index] = count
    return counts


def document(
    dataset: str, processed: int = 100, counts: Mapping[str, Mapping[int, int]] | None = None, **fields: Any
) -> dict[str, Any]:
    """Return a result document with no more than it must have, and `fields`."""
    histograms = {field: histogram((counts or {}).get(channel)) for channel, field in FIELDS.items()}
    return {"samplename": dataset, "processed": processed, **histograms, "lumi": None, **fields}


def stored(dataset: str, shard: str, *args: Any, **kwargs: Any) -> tuple[str, bytes]:
    """Key, in the run's folder, and content of the object with that document."""
    return result_key(dataset, shard), json.dumps(document(dataset, *args, **kwargs)).encode()


def merged(
    objects: Iterable[tuple[str, bytes]],
    histograms: Sequence[HistogramSpec] | None = None,
    since: datetime | None = None,
    expected: ExpectedShards | None = None,
) -> Merge:
    """Return the merge of the objects (key, content) of a bucket, by default of all shards' results."""
    found = list(objects)
    merge = Merge(expected or expecting({"here": _shards(key for key, _ in found)}), histograms, since)
    for key, raw in found:
        merge.add(key, raw)
    return merge


def expecting(clusters: Mapping[str, Names]) -> ExpectedShards:
    """Return the shards that these clusters list."""
    expected = ExpectedShards()
    for cluster, datasets in clusters.items():
        expected.add(cluster, (Place(name, shard) for name, shards in datasets.items() for shard in shards))
    return expected


def _shards(keys: Iterable[str]) -> Names:
    shards: dict[str, set[str]] = {}
    for dataset, shard in map(locate, keys):
        shards.setdefault(dataset, set()).add(shard)
    return shards


def recorded(dataset: str, shard: str, *args: Any, **kwargs: Any) -> tuple[str, bytes]:
    """Return the same of a file of data, which states its luminosity."""
    return stored(dataset, shard, *args, lumi=A_FILE, **kwargs)


def named(dataset: str, shard: str, events: Sequence[Any] | None) -> tuple[str, bytes]:
    """Return the same whose selected events are these candidates; None for a result that names none."""
    counts = {channel: Counter(bin_of(e[-1]) for e in events or () if e[0] == channel) for channel in ALL}
    fields = {} if events is None else {"candidates": events}
    return recorded(dataset, shard, 10_000, counts, **fields)


def sample(
    name: str,
    group: Group,
    year: int = 2012,
    channels: tuple[Channel, ...] = ALL,
    files: int = 2,
    **fields: Any,
) -> Sample:
    """Return a sample of the small catalogue; cross section 1 pb and scale factor 1 when simulated."""
    simulated = None if group == "data" else 1.0
    values = {"cross_section_pb": simulated, "scale_factor": simulated, "generated_events": None, **fields}
    return Sample.model_construct(
        name=name,
        group=group,
        datatype="data" if group == "data" else "mc",
        year=year,
        channels=channels,
        files=files,
        **values,
    )


def catalogue(
    *samples: Sample, note: str | None = None, luminosity_pb: dict[int, float] | None = None
) -> Catalogue:
    """Return a catalogue in which each sample has one dataset, of the sample's name in capitals."""
    datasets = [Dataset(name=s.name.upper(), prefix=s.name, files=s.files, sample=s) for s in samples]
    return Catalogue(
        name="small",
        title="A small catalogue",
        note=note,
        luminosity_pb=luminosity_pb or {2012: 1000.0},
        streams={"stream": {s.name: float(s.files) for s in samples if s.group == "data"}},
        datasets={dataset.name: dataset for dataset in datasets},
        samples={s.name: s for s in samples},
    )


def uncertainty(name: str, *samples: str, **fields: object) -> Uncertainty:
    """Return one of a catalogue: by default, 10% of the events of these samples in all channels."""
    values = {"channels": ALL, "up": 1.1, "down": 0.9, "kind": "events", "source": "-"} | fields
    return Uncertainty.model_validate(values | {"name": name, "samples": samples})


def one_file_each(known: Catalogue) -> Catalogue:
    """Return the catalogue as if all files of each sample were one, of the first of its datasets."""
    firsts = {dataset.sample.name: dataset for dataset in reversed(known.datasets.values())}
    datasets = (dataset.model_copy(update={"files": 1}) for dataset in firsts.values())
    return known.model_copy(update={"datasets": {dataset.name: dataset for dataset in datasets}})


def complete(known: Catalogue) -> dict[str, int]:
    return {name: dataset.files for name, dataset in known.datasets.items()}


def spectrum_of(
    known: Catalogue, *objects: tuple[str, bytes], expected: dict[str, int] | None = None
) -> Spectrum:
    merge = merged(objects)
    assert merge.corrupt == {}
    return normalise(merge.datasets, known, complete(known) if expected is None else expected)
