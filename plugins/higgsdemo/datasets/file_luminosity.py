"""The integrated luminosity of each data file, which pods copy into their results.

A stream is the data of one trigger (muons or electrons) in one year. The best numbers are those of single
files, as the demo of 2019 computed them from the certified luminosity sections: JSON files of ``{"<URL of the
file>": <1/ub>}`` in ``include/datasets/<catalogue>/lumi/`` are read where they exist. The other files of a
sample share equally what these leave of the whole that the catalogue names (``streams`` in
``catalogue.json``, in 1/pb), so that all files add up to it. Files of a campaign's own dataset count as files
of the sample that it names, wherever they lie.
"""

import json
import re
from functools import cache
from math import fsum, inf
from pathlib import Path
from typing import Any

from higgsdemo.campaign import DatasetRef
from higgsdemo.catalogue import DATASETS_DIR, Catalogue, CatalogueError, Sample

UB_A_PB = 1e6  # 1/pb in 1/ub
ROUNDED = 1e-3  # of a stream: catalogues give it with four or five digits


class Luminosities:
    """The luminosities of a catalogue's data files; raises CatalogueError when a list of them is wrong."""

    def __init__(self, catalogue: Catalogue, root: Path = DATASETS_DIR) -> None:
        self._catalogue = catalogue
        self._remainder = cache(self._share_of_remainder)
        self._by_key: dict[str, float] = {}
        for path in sorted((root / catalogue.name / "lumi").glob("*.json")):
            for key, value in _read(path):
                if (other := self._by_key.setdefault(key, value)) != value:
                    raise CatalogueError(f"{path}: the luminosity of {key} is {value}, and {other} elsewhere")

    def of(self, dataset: DatasetRef, file: str, share: float = 1.0) -> dict[str, Any] | None:
        """Return stream and value (1/ub) of a file of ``dataset``, by its key below it; None for no data.

        :param share: the part of the file's events in question. Luminosity is taken to be spread evenly over
            them, so that all parts add up to the file's.
        :raises CatalogueError: when listed files alone have more luminosity than their whole sample.
        """
        known = self._catalogue.datasets.get(dataset.name)
        sample = self._catalogue.samples.get(dataset.sample) or (known and known.sample)
        prefix = known.prefix if known else _key(dataset.url)
        for stream, samples in self._catalogue.streams.items():
            if sample and sample.name in samples:
                others = self._remainder(sample, samples[sample.name] * UB_A_PB, prefix)
                of_file = self._by_key.get(f"{prefix.rstrip('/')}/{file}".strip("/"), others)
                return {"stream": stream, "value": of_file * share}
        return None

    def _share_of_remainder(self, sample: Sample, whole: float, prefix: str) -> float:
        """Return the luminosity (1/ub) of each file of a sample that no list has."""
        known = {one.prefix for one in self._catalogue.datasets.values() if one.sample.name == sample.name}
        folders = tuple(f"{one.strip('/')}/" for one in known | {prefix})
        listed = [value for key, value in self._by_key.items() if f"{key}/".startswith(folders)]
        remainder = whole - fsum(listed)
        if remainder < -ROUNDED * whole:
            raise CatalogueError(
                f"lumi/ of the catalogue {self._catalogue.name}: the {len(listed)} listed files of "
                f"{sample.name} have {fsum(listed) / UB_A_PB:.6g} /pb, but all its files only "
                f"{whole / UB_A_PB:.6g} /pb in catalogue.json: correct one of them"
            )
        return max(remainder, 0.0) / max(sample.files - len(listed), 1)


def _read(path: Path) -> list[tuple[str, float]]:
    """Return the keys and luminosities of a JSON file: URLs differ only in store and bucket."""
    try:
        pairs = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=tuple)  # a list is an array
        if not isinstance(pairs, tuple):
            raise TypeError("it is not an object")
        values = [(_key(url), float(value)) for url, value in pairs]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CatalogueError(
            f'{path} must be JSON of the form {{"<URL of a file>": <luminosity in 1/ub>}}: {error}'
        ) from None
    for key, value in values:
        if not 0 <= value < inf:
            raise CatalogueError(f"{path}: the luminosity of {key} is {value}; it must be 0 or more, in 1/ub")
    return values


def _key(url: str) -> str:
    """Return the key of ``root://host//key``, ``s3://bucket/key`` or ``s3/bucket/key``."""
    return re.sub(r"^(\w+://[^/]*/+|(s3|gs)/[^/]*/)", "", url)
