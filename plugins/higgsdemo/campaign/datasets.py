"""Resolve a dataset named in a campaign: where its files are and which sample they belong to.

A dataset is written in one of six ways:

- a catalogue dataset's name: its files are listed below the cluster's input + its prefix;
- the path of an index file, as in the original's lists. If `include/datasets/<path>` exists, its lines are
    the files. If not, `<dataset>_file_index.txt` stands for the catalogue's dataset of that name, of which
    `min_datasets.../` takes only the first shard;
- a bucket URL that ends in `_file_index.txt`: such a file in the bucket, read when a run lists its shards;
- any other bucket URL, a prefix: the catalogue's dataset if its path is that one's prefix, in any bucket;
- an object with `url`, and `name` and `sample` where they should not be guessed, and `match` where its files
    are not ROOT's; without `url`, `name` is that of a catalogue dataset;
- an object with `record` or `doi`: a record of the CERN Open Data portal, whose files lie below the cluster's
    input. `plan` looks it up, and completes the name, which is no valid one until then (`record:30511`).

Files that belong to no sample are processed and counted, but neither normalised nor stacked (`UNASSIGNED`).
"""

import posixpath
import re
from fnmatch import fnmatchcase
from os.path import isfile  # unlike a path's own, it has an answer for a name that is too long
from pathlib import Path, PurePosixPath
from urllib.parse import quote as quote_in_url

from pydantic import BaseModel, ConfigDict

from higgsdemo.campaign.entries import ROOT_FILES, DatasetEntry
from higgsdemo.campaign.index_files import (
    INDEX_SUFFIX,
    DatasetError,
    common_prefix,
    path_of,
    read_index,
    store_of,
)
from higgsdemo.catalogue import DATASETS_DIR, UNASSIGNED, Catalogue, Dataset, Datatype, is_dataset_name
from higgsdemo.wording import did_you_mean, quote

PORTAL = "https://opendata.cern.ch"
MIN_DATASETS = "min_datasets"  # folders of this name's beginning stand for the first file of a dataset
_ENDING = re.compile(r"(\.[A-Za-z0-9]+)+$")
_LISTED = ("s3", "gs", "root")
_SHOWN_URL_PARTS = 3


class DatasetRef(BaseModel):
    """A dataset as a cluster runs it.

    :param url: the URL prefix of its files, or its one file, with a slash at the end.
    :param index: what names its files: an index file, as a path below `include/datasets` or a bucket URL, or
        a record, as its URL in the portal's API; None to list `url`.
    :param sample: a sample of the catalogue, or `UNASSIGNED`.
    :param max_shards: take the first so many; None for all.
    :param files: the expected number; None where unknown.
    :param match: a glob for how the URLs of its files end.
    :param certified: the file of the luminosity sections whose events count; None for all events.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    url: str
    index: str | None = None
    sample: str = UNASSIGNED
    datatype: Datatype = "data"
    max_shards: int | None = None
    files: int | None = None
    match: str = ROOT_FILES
    certified: str | None = None

    @property
    def matching(self) -> str:
        """A glob for the URLs of its files."""
        return f"*/{self.match}"

    @property
    def is_record(self) -> bool:
        """Whether a record of the CERN Open Data portal names its files."""
        return self.index is not None and "://" in self.index and not self.index.endswith(INDEX_SUFFIX)

    @property
    def ending(self) -> str:
        """The ending that all of its files have, such as `.root`; empty where they have no common one."""
        found = _ENDING.search(self.match)
        return found[0] if found else ""

    @property
    def is_file(self) -> bool:
        """Whether it is one file, and not the files below a prefix: its URL ends as files of it do."""
        return self.ending != "" and fnmatchcase(self.url[:-1], self.matching)

    @property
    def base(self) -> str:
        """The URL that the keys of its files are relative to, with a slash at the end."""
        return f"{posixpath.dirname(self.url[:-1])}/" if self.is_file else self.url

    @property
    def planned_shards(self) -> int:
        """The shards that it should have, since a run may take the first of its files alone; 0 if unknown."""
        return min((number for number in (self.max_shards, self.files) if number is not None), default=0)


def resolve_dataset(
    reference: str | DatasetEntry,
    catalogue: Catalogue,
    storage: str,
    max_shards: int | None = None,
    root: Path = DATASETS_DIR,
    *,
    portal: str = PORTAL,
) -> DatasetRef:
    """Return the dataset that `reference` stands for; raise DatasetError when there is none.

    :param storage: URL of the bucket (or prefix) that the catalogue's prefixes are below.
    :param root: the directory that index files are below.
    """
    if isinstance(reference, DatasetEntry):
        found = _of_entry(reference, catalogue, storage, portal)
    elif "://" in reference:
        found = _below_url(reference, None, catalogue)
    elif "/" in reference or reference.endswith(".txt"):
        found = _of_index(reference, catalogue, storage, root)
    else:
        found = _of_name(reference, catalogue, storage)
    if found.index is None and not found.is_file and not found.url.startswith(_LISTED):
        raise DatasetError(
            f"is {quote(found.url)}; a web server does not list its files: name one ({found.match}), or an "
            f"index file ({INDEX_SUFFIX})"
        )
    store, store_of_input = found.url.partition("://")[0], storage.partition("://")[0]
    if store != store_of_input:
        raise DatasetError(
            f"lies in {store}://, but the input is {quote(storage)}: a cluster reads from one store"
        )
    limits = [limit for limit in (found.max_shards, max_shards) if limit is not None]
    certified = _certified(reference, found, catalogue, root)
    return found.model_copy(update={"max_shards": min(limits, default=None), "certified": certified})


def plain_name(text: str, otherwise: str) -> str:
    """Return a text as a dataset's name, or `otherwise` where nothing of it can be in one."""
    return re.sub("[^A-Za-z0-9._]+", "-", text).strip("-._")[:200].rstrip("-._") or otherwise


def _of_catalogue(dataset: Dataset, storage: str) -> DatasetRef:
    return DatasetRef(
        name=dataset.name,
        url=f"{storage.removesuffix('/')}/{dataset.prefix}/",
        sample=dataset.sample.name,
        datatype=dataset.sample.datatype,
        files=dataset.files,
    )


def _of_name(name: str, catalogue: Catalogue, storage: str) -> DatasetRef:
    if name not in catalogue.datasets:
        hint = did_you_mean(name, catalogue.datasets)
        raise DatasetError(
            f"is {quote(name)}, which is not a dataset of the catalogue {catalogue.name}{hint}"
        )
    return _of_catalogue(catalogue.datasets[name], storage)


def _of_entry(entry: DatasetEntry, catalogue: Catalogue, storage: str, portal: str) -> DatasetRef:
    match entry.url, entry.record, entry.doi, entry.name:
        case str(url), None, None, name:
            found = _below_url(url, name, catalogue)
        case None, int(), None, _:
            found = _of_record(f"record:{entry.record}", f"/{entry.record}", storage, portal)
        case None, None, str(doi), _:
            search = quote_in_url(f'"{doi}"')
            found = _of_record(f"doi:{doi}", f"?page=1&size=1&q=doi:{search}", storage, portal)
        case None, None, None, str(name):
            found = _of_name(name, catalogue, storage)
        case _:
            raise DatasetError(
                'must have one of "url", "record" and "doi", or the "name" of a dataset of the catalogue'
            )
    if entry.name is not None:
        found = found.model_copy(update={"name": entry.name})
    if entry.match != found.match:  # the catalogue may have counted others
        found = found.model_copy(update={"match": entry.match, "files": None})
    if entry.sample is not None and entry.sample != found.sample:
        sample = catalogue.samples.get(entry.sample)
        if sample is None:
            hint = did_you_mean(entry.sample, catalogue.samples)
            raise DatasetError(
                f"has the sample {quote(entry.sample)}, which is not in the catalogue {catalogue.name}{hint}"
            )
        found = found.model_copy(update={"sample": sample.name, "datatype": sample.datatype})
    return found


def _of_record(name: str, path: str, storage: str, portal: str) -> DatasetRef:
    return DatasetRef(name=name, url=f"{storage.removesuffix('/')}/", index=f"{portal}/api/records{path}")


def _below_url(url: str, name: str | None, catalogue: Catalogue) -> DatasetRef:
    if not url.endswith(INDEX_SUFFIX):
        return _of_url(url, name, catalogue)
    found = _of_url(store_of(url), name or posixpath.basename(url).removesuffix(INDEX_SUFFIX), catalogue)
    return found.model_copy(update={"index": url, "files": None})


def _of_url(url: str, name: str | None, catalogue: Catalogue) -> DatasetRef:
    known = _known(catalogue, name, path_of(url))
    name = name or (known.name if known else _name_of(url))
    found = DatasetRef(name=name, url=f"{url.removesuffix('/')}/")
    if not known:
        return found
    return _of_catalogue(known, url).model_copy(update={"name": name, "url": found.url})


def _of_index(reference: str, catalogue: Catalogue, storage: str, root: Path) -> DatasetRef:
    path = PurePosixPath(reference)
    inside = (root / path).resolve().is_relative_to(root.resolve())
    if path.is_absolute() or ".." in path.parts or not inside:
        raise DatasetError(
            f"is {quote(reference)}; an index file's path is relative to include/datasets, without .."
        )
    name = path.name.removesuffix(INDEX_SUFFIX)
    if name == path.name or not is_dataset_name(name):
        raise DatasetError(f"is {quote(reference)}; an index file's name is <dataset>{INDEX_SUFFIX}")
    if isfile(root / path):
        urls = read_index(reference, root)
        url = common_prefix(urls)
        known = _known(catalogue, name, path_of(url))
        found = _of_catalogue(known, storage) if known else DatasetRef(name=name, url=url)
        return found.model_copy(update={"name": name, "url": url, "index": reference, "files": len(urls)})
    if name not in catalogue.datasets:
        hint = did_you_mean(name, catalogue.datasets)
        raise DatasetError(
            f"is {quote(reference)}; there is no such file in include/datasets, and {quote(name)} is no "
            f"dataset of the catalogue {catalogue.name}{hint}"
        )
    found = _of_catalogue(catalogue.datasets[name], storage)
    return found.model_copy(update={"max_shards": 1}) if path.parts[0].startswith(MIN_DATASETS) else found


def _certified(
    reference: str | DatasetEntry, found: DatasetRef, catalogue: Catalogue, root: Path
) -> str | None:
    own = reference.certified if isinstance(reference, DatasetEntry) else None
    if own and found.datatype != "data":
        raise DatasetError("has certified sections, but is simulation: only data have them")
    if own and "://" not in own and not isfile(root / own):
        raise DatasetError(f"has certified sections in {quote(own)}, which is no file below include/datasets")
    if own or found.datatype != "data":
        return own
    sample = catalogue.samples.get(found.sample)
    return catalogue.certified.get(sample.year) if sample else None


def _known(catalogue: Catalogue, name: str | None, prefix: str) -> Dataset | None:
    by_prefix = (dataset for dataset in catalogue.datasets.values() if dataset.prefix == prefix)
    return catalogue.datasets.get(name or "") or next(by_prefix, None)


def _name_of(url: str) -> str:
    """Name a dataset after the end of its URL: `s3://bucket/x/a/run2012c/mu` is `a-run2012c-mu`."""
    bucket = url.split("/")[2]
    shown = (path_of(url).removesuffix(".root") or bucket).split("/")[-_SHOWN_URL_PARTS:]
    return plain_name("-".join(shown), bucket)
