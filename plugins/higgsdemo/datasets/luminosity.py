"""The integrated luminosity of each data file, which pods pass on into their results.

A stream is the data of one trigger (muons or electrons) in one year. Best known is the luminosity of every
single file, as the demo of 2019 worked it out from the certified luminosity sections: JSON files of
``{"<URL of the file>": <1/ub>}`` in ``include/datasets/<catalogue>/lumi/`` are read where there are any.
Otherwise each file of a sample has an equal share of what the catalogue says of the whole (``streams`` in
``catalogue.json``, in 1/pb), which comes to the same for a campaign over all of them. Files of a dataset of
the campaign's own count as files of the sample that it belongs to, wherever they lie.
"""

from __future__ import annotations

import json
import re
from math import inf
from pathlib import Path
from typing import Any

from higgsdemo.campaign.model import DatasetRef
from higgsdemo.catalogue import DATASETS_DIR, Catalogue, CatalogueError

UB_A_PB = 1e6  # 1/pb in 1/ub


class Luminosities:
    """The luminosities of a catalogue's data files.

    Raises CatalogueError when a file of luminosities is none.
    """

    def __init__(self, catalogue: Catalogue, root: Path = DATASETS_DIR) -> None:
        self._catalogue = catalogue
        self._by_key: dict[str, float] = {}
        for path in sorted((root / catalogue.name / "lumi").glob("*.json")):
            self._by_key |= _read(path)

    def of(self, dataset: DatasetRef, file: str, share: float = 1.0) -> dict[str, Any] | None:
        """Return stream and value (1/ub) of a file of ``dataset``, named by its key below the dataset's.

        :param share: the part of the file's events that it is asked for. Luminosity is taken to be spread
            evenly over them, so that all parts add up to that of the file, and some to a part of it.
        :returns: None for what is no data of the catalogue.
        """
        known = self._catalogue.datasets.get(dataset.name)
        sample = known.sample if known else self._catalogue.samples.get(dataset.sample)
        prefix = known.prefix if known else _key(dataset.url)
        for stream, samples in self._catalogue.streams.items():
            if sample and sample.name in samples:
                mean = samples[sample.name] * UB_A_PB / sample.files
                of_file = self._by_key.get(f"{prefix.rstrip('/')}/{file}".strip("/"), mean)
                return {"stream": stream, "value": of_file * share}
        return None


def _read(path: Path) -> dict[str, float]:
    """Return the luminosities of a file by the keys of its files: URLs differ in store and bucket alone."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        values = {_key(url): float(value) for url, value in document.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CatalogueError(
            f'{path} must be JSON of the form {{"<URL of a file>": <luminosity in 1/ub>}}: {error}'
        ) from None
    for key, value in values.items():
        if not 0 <= value < inf:
            raise CatalogueError(f"{path}: the luminosity of {key} is {value}; it must be 0 or more, in 1/ub")
    return values


def _key(url: str) -> str:
    """Return the key of ``root://host//key``, ``s3://bucket/key`` or ``s3/bucket/key``."""
    return re.sub(r"^(\w+://[^/]*/+|(s3|gs)/[^/]*/)", "", url)
