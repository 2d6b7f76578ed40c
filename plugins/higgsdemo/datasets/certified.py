"""The certified luminosity sections of data, as CMS publishes them: `{"<run>": [[first, last], ...], ...}`.

`plan` reads each file once, from `include/datasets` or the web, checks it, and keeps it in the run's folder
by dataset, since it is part of what the run counts. From there it goes to the pods beside their manifests:
such files have 10 to 100 kB and a ConfigMap 1 MiB, so no pod has to reach another server, and all find what
the run was planned with.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from higgsdemo.campaign import DatasetRef
from higgsdemo.catalogue import DATASETS_DIR
from higgsdemo.run_folder import certified_key
from higgsdemo.wording import ExplainedError, quote

if TYPE_CHECKING:  # it imports Airflow, which takes seconds, and who reads a result needs none
    from higgsdemo.storage.object_store import ObjectStore

LARGEST = 256 << 10  # bytes as kept: the rest of a ConfigMap is the manifest's
LARGEST_READ = 4 << 20  # bytes of a file, with all its spaces
LAST = (1 << 32) - 1  # of runs and sections: they are unsigned, with 32 bits

Ranges = tuple[tuple[int, int], ...]  # first and last sections, both included, in order and without overlap
Sections = Mapping[int, Ranges]  # luminosity sections by run


class CertifiedError(ExplainedError, ValueError):
    """A file is not one of certified sections."""

    final = True


def certified_files(refs: Iterable[DatasetRef], root: Path = DATASETS_DIR) -> dict[str, bytes]:
    """Return the files that are kept of the certified sections of datasets, by the names of those.

    :raises CertifiedError: when a file is none of certified sections.
    :raises StorageError: when a file cannot be read.
    """
    sources = {ref.name: ref.certified for ref in refs if ref.certified}
    files = {source: dump(read_certified(source, root)) for source in set(sources.values())}
    return {name: files[source] for name, source in sources.items()}


def read_certified(source: str, root: Path = DATASETS_DIR) -> Sections:
    """Return the sections in a file: a path below `root`, or a URL.

    :raises CertifiedError: naming the first fault.
    :raises StorageError: when it cannot be read.
    """
    if "://" in source:
        from higgsdemo.storage.object_store import ObjectStore

        folder, _, name = source.rpartition("/")
        content = ObjectStore(folder, "").read(name, LARGEST_READ)
    else:
        try:
            content = (root / source).read_bytes()
        except OSError as error:
            raise CertifiedError(f"{root / source} cannot be read: {error.strerror}") from None
    try:
        document = json.loads(content, object_pairs_hook=tuple)  # a list is an array
        if not isinstance(document, tuple) or not document:
            raise ValueError("it is no object with runs")
        sections = parse_sections(document)
        if len(dump(sections)) > LARGEST:
            raise ValueError(f"it has more than {LARGEST} bytes")
    except (ValueError, RecursionError) as error:
        raise CertifiedError(
            f"{source} does not have the form of certified sections, "
            f'{{"<run>": [[<first section>, <last>], ...], ...}}: {error}'
        ) from None
    return sections


def read_kept(output: ObjectStore, dataset: str) -> Sections:
    """Return the sections that were kept of a dataset."""
    from higgsdemo.storage.documents import read_document

    return read_document(output, certified_key(dataset), TypeAdapter(dict[int, Ranges]))


def dump(sections: Sections) -> bytes:
    """Return the file that has these sections; the same for the same ones."""
    return json.dumps({str(run): ranges for run, ranges in sorted(sections.items())}).encode()


def parse_sections(pairs: Any) -> dict[int, Ranges]:
    """Return the sections of pairs of runs and ranges; raise ValueError naming the first fault."""
    if not isinstance(pairs, tuple | list):
        raise ValueError("is no list of runs")
    sections: dict[int, Ranges] = {}
    for pair in pairs:
        name, ranges = pair if isinstance(pair, tuple | list) and len(pair) == 2 else (pair, None)
        run = int(name) if isinstance(name, str) and name.isascii() and name.isdecimal() else name
        if not _is_number(run):
            raise ValueError(f"{quote(str(name)[:40])} is no run")
        if run in sections:
            raise ValueError(f"run {run} is there twice")
        if not isinstance(ranges, list | tuple) or not ranges:
            raise ValueError(f"run {run} has no list of ranges")
        before = 0
        for found in ranges:
            match found:
                case [first, last] if _is_number(first) and _is_number(last) and before < first <= last:
                    before = last
                case _:
                    told = quote(str(found)[:40])
                    raise ValueError(f"run {run}: {told} is no range of sections after section {before}")
        sections[run] = tuple((first, last) for first, last in ranges)
    return sections


def unite(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return the sections of all ranges, as few ranges in order."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return tuple(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LAST
