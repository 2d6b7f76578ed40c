"""Read result documents: check each completely before any of its counts is believed.

Results are in a bucket that others can write to, and come from any image that keeps the pod contract. What is
refused is named in one line.
"""

from collections import Counter
from collections.abc import Sequence

from pydantic import ValidationError

from higgsdemo.campaign.analysis import HistogramSpec
from higgsdemo.results.document import (
    Document,
    Filled,
    OwnDocument,
    ResultDocument,
    bin_of,
)
from higgsdemo.run_folder import locate
from higgsdemo.wording import first_fault, printable

MAX_BYTES = 1 << 20
"""A result document is about 1 kB; anything larger than this is not one."""


class ResultError(ValueError):
    """An object that is not a result document. The message is one line that begins with the object's key."""


def parse_result(
    key: str,
    raw: bytes,
    histograms: Sequence[HistogramSpec] | None = None,
    entries: tuple[int, int] | None = None,
    size: int | None = None,
) -> Document:
    """Return the checked result document in the object `key`; an OwnDocument with `histograms`.

    :param histograms: those that the campaign describes; None for those of the four-lepton analysis.
    :param entries: the events of its shard, where that is a part of a file.
    :param size: bytes of the shard's file as listed, where they are known.
    :raises ResultError: when the object is not a result document, when a channel selected more events than
        were processed (an event enters a channel at most once), when it names another dataset or shard than
        its key, or a file of another size, or when it is of a part of a file and not of exactly the events of
        that part.
    """
    check_size(key, len(raw))
    dataset, shard = locate(key)
    if not shard:
        raise _refusal(key, "the key names no shard: it should be results/<dataset>/<shard>.json")
    document = _four_leptons(key, raw) if histograms is None else _own(key, raw, histograms)
    if document.samplename != dataset or document.shard not in (None, shard):
        said = "/".join(filter(None, (document.samplename, document.shard)))
        raise _refusal(key, f"the document is of {said}")
    if None not in (size, document.size) and document.size != size:
        was = f"the document is of a file of {document.size} bytes"
        raise _refusal(key, f"{was}, and the one that is listed has {size}: resume the run to make it anew")
    if document.certified and document.certified.events > document.processed:
        events = document.certified.events
        raise _refusal(key, f"{events} certified events, of {document.processed} processed")
    if not document.test_mode:
        _check_entries(key, document, entries)
    return document


def check_size(key: str, size: int) -> None:
    """Raise ResultError when an object of so many bytes is no result document, without a look into it."""
    if not size:
        raise _refusal(key, "the object is empty")
    if size > MAX_BYTES:
        raise _refusal(key, f"the object has {size} bytes, a result document at most {MAX_BYTES}")


def _four_leptons(key: str, raw: bytes) -> ResultDocument:
    try:
        document = ResultDocument.model_validate_json(raw)
    except ValidationError as error:
        raise _refusal(key, first_fault(error)) from None
    for channel, counts in document.counts.items():
        if (selected := sum(counts)) > document.processed:
            raise _refusal(key, f"{selected} events selected in {channel}, of {document.processed} processed")
    if document.weights and document.weights.processed and not document.processed:
        raise _refusal(key, f"weights.processed is {document.weights.processed}, of 0 events processed")
    if document.candidates is not None:
        named = Counter((channel, bin_of(mass)) for channel, *_, mass in document.candidates)
        counted = {(c, bin): n for c, counts in document.counts.items() for bin, n in enumerate(counts) if n}
        if named != counted or document.weights:
            raise _refusal(key, "candidates are not the events of its histograms")
    return document


def _own(key: str, raw: bytes, histograms: Sequence[HistogramSpec]) -> OwnDocument:
    """Return the document of an own analysis, with exactly the described histograms.

    An event may enter a histogram more than once, as each pair of its muons does.
    """
    try:
        document = OwnDocument.model_validate_json(raw)
    except ValidationError as error:
        raise _refusal(key, first_fault(error)) from None
    kept = {}
    for histogram in histograms:
        nothing = Filled.of((0,) * histogram.bins) if document.test_mode else None
        found = document.filled.get(histogram.name, nothing)
        if found is None:
            raise _refusal(key, f"histograms.{histogram.name} is missing")
        for bins in map(len, (found.contents, found.squares)):
            if bins != histogram.bins:
                raise _refusal(key, f"histograms.{histogram.name} has {bins} bins, not {histogram.bins}")
        kept[histogram.name] = found
    return document.model_copy(update={"histograms": kept})


def _check_entries(key: str, document: Document, asked: tuple[int, int] | None) -> None:
    """Refuse the result of a part of a file that is not of exactly the events of that part."""
    if asked is None and document.entries is None:
        return
    start, stop = asked or document.entries or (0, 0)
    if document.entries is None:
        raise _refusal(
            key,
            f"entries is missing: the shard is events {start} to {stop} of its file, and an image that does "
            "not say so has read all of it; run it without shard_events",
        )
    if document.entries != (start, stop):
        raise _refusal(key, "entries are {} to {}".format(*document.entries) + f", not {start} to {stop}")
    if document.processed != stop - start:
        raise _refusal(
            key, f"{document.processed} events processed, of the {stop - start} from {start} to {stop}"
        )


def _refusal(key: str, reason: str) -> ResultError:
    return ResultError(f"{printable(key)}: {printable(reason)}")
