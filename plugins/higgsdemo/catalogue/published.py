"""Published spectra, which a plot shows beside its own data: tables of HEPData in a catalogue's folder.

A file is a data table of HEPData (https://hepdata-submission.readthedocs.io), or a submission in one piece
such as a run's `hepdata.yaml`, of which the first table counts. Its first column must be numbers of events in
bins of the mass; the column's name is the legend.
"""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from annotated_types import Ge, Len
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from higgsdemo.wording import first_fault


class _Bin(BaseModel):
    low: float
    high: float


class Published(BaseModel):
    """Numbers of events in bins of the mass in GeV, and whose they are."""

    model_config = ConfigDict(frozen=True)

    label: Annotated[str, Len(1, 30)]
    bins: Annotated[tuple[_Bin, ...], Len(1)]
    counts: tuple[Annotated[int, Ge(0)], ...]

    @model_validator(mode="after")
    def in_order(self) -> Self:
        """Refuse bins that are not side by side, or have no number each."""
        if len(self.bins) != len(self.counts):
            raise ValueError(f"it has {len(self.bins)} bins, and {len(self.counts)} numbers of events")
        if any(one.high <= one.low for one in self.bins) or any(
            one.high > other.low for one, other in pairwise(self.bins)
        ):
            raise ValueError("its bins are not in order")
        return self


def read_published(path: Path) -> Published:
    """Read a file; raise ValueError, with what is wrong with it, for one that has no such table."""
    try:
        documents: list[Any] = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        table = next(document for document in documents if "dependent_variables" in document)
        bins, column = table["independent_variables"][0]["values"], table["dependent_variables"][0]
        counts = [point["value"] for point in column["values"]]
        return Published(label=column["header"]["name"], bins=bins, counts=counts)
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ValueError("it is not YAML") from None
    except (StopIteration, LookupError, TypeError):
        raise ValueError("it has no table of events by mass, as HEPData has them") from None
    except ValidationError as error:
        raise ValueError(f"its table is wrong: {first_fault(error)}") from None
