"""Refuse simulated files in the place of data: their plot would show a peak that nobody has measured.

The demo's generator marks each file by the title of its tree, which stays with every copy. ROOT keeps it in
the file's directory too, so two reads of some kilobytes, of one file per dataset, suffice.
"""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from higgsdemo.campaign import DatasetRef, Placed
from higgsdemo.catalogue import Catalogue
from higgsdemo.datasets.entry_ranges import TREE, look_into
from higgsdemo.datasets.listing import AT_ONCE, Store, first_file, open_stores
from higgsdemo.datasets.run_catalogue import SIMULATED
from higgsdemo.datasets.shards import ListingError
from higgsdemo.storage.connections import StorageError, scheme_of
from higgsdemo.wording import printable


def refuse_simulated(catalogue: Catalogue, placed: Sequence[Placed]) -> None:
    """Raise ListingError for data whose first file is marked as simulated, unless the catalogue says so too.

    What cannot be listed or read is ignored: the task that lists it, or its pod, reports it.
    """
    if "simulated" in (catalogue.note or "").lower():
        return
    stores: dict[tuple[str, str], list[DatasetRef]] = defaultdict(list)
    for one in placed:
        if one.ref.datatype == "data":
            stores[scheme_of(one.ref.url), one.store].append(one.ref)
    opened: list[tuple[DatasetRef, Store]] = []
    for (_, connection), refs in stores.items():
        with suppress(StorageError):
            of_url = open_stores(refs, connection)
            opened += [(ref, of_url[ref.url]) for ref in refs]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        if problems := list(filter(None, pool.map(_problem, opened))):
            raise ListingError(
                f"{'; '.join(problems)}: the catalogue {catalogue.name} has the data of CMS there. Give "
                "storage.input, or the dataset's url, the place of the data, or remove the simulated files"
            )


def _problem(opened: tuple[DatasetRef, Store]) -> str | None:
    dataset, store = opened
    with suppress(StorageError, ListingError):
        first = first_file(dataset, store)
        if first:
            with store.open(first) as file:
                if look_into(file, lambda opened: str(opened.key(TREE).fTitle)) == SIMULATED:
                    return f"dataset {dataset.name}: {printable(dataset.base + first.key)} is simulated"
    return None
