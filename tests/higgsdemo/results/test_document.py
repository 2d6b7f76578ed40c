"""A result document is checked in full, and what is refused is named in one line."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from higgsdemo.results.document import ResultDocument
from higgsdemo.results.parsing import ResultError, parse_result
from result_documents import document, histogram
from tables import cases

KEY = "results/DS/a.json"
GOOD = document("DS", 10, {"4mu": {18: 3}})
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=60,
)


def refusal(content: bytes | dict[str, Any], key: str = KEY) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(ResultError) as caught:
        parse_result(key, raw)
    return str(caught.value)


def test_the_document_of_2019_is_enough() -> None:
    original = {**document("DS", 7, {"2e2mu": {0: 2}}), "lumi": {"stream": "mu_stream_2012", "value": 1.5}}
    result = parse_result(KEY, json.dumps(original).encode())
    assert (result.processed, result.bytes, result.test_mode) == (7, 0, False)
    assert result.lumi is not None
    assert (result.lumi.stream, result.lumi.value) == ("mu_stream_2012", 1.5)
    assert result.counts == {
        "4mu": tuple(histogram()),
        "4e": tuple(histogram()),
        "2e2mu": tuple(histogram({0: 2})),
    }


def test_the_document_that_our_workload_writes_is_read_whole() -> None:
    from workload.manifest import Shard
    from workload.result import Analysis, result_document

    shard = Shard("a", "s3://in/DS/a.root", 123, {"stream": "mu_stream_2012", "value": 2.0})
    counts = {channel: np.array(histogram({18: 3})) for channel in ("4mu", "4e", "2e2mu")}
    written = result_document(
        shard, "DS", Analysis(10, counts), received=120, stage_in=1.5, compute=2.5, test_mode=False
    )
    result = parse_result(KEY, json.dumps(written).encode())
    assert (result.shard, result.url, result.size) == ("a", "s3://in/DS/a.root", 123)
    assert (result.bytes, result.seconds.stage_in, result.seconds.compute) == (120, 1.5, 2.5)
    assert result.finished is not None
    assert result.finished.isoformat() == written["finished"]
    assert result.counts["4e"] == tuple(histogram({18: 3}))


def weights(**changed: Any) -> dict[str, Any]:
    channels = {channel: [0.0] * 37 for channel in ("4mu", "4e", "2e2mu")}
    return {**GOOD, "weights": {"processed": 9.5, "sums": channels, "squares": channels, **changed}}


def test_events_may_have_weights() -> None:
    found = parse_result(KEY, json.dumps(weights()).encode())
    assert isinstance(found, ResultDocument)
    assert found.weights is not None
    assert (found.weights.processed, found.weights.sums["4e"]) == (9.5, (0.0,) * 37)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"processed": "9"}, 'processed: Input should be a valid number (it is "9")'),
        ({"sums": {}}, "sums: Dictionary should have at least 3 items after validation, not 0"),
        (
            {"squares": {"4mu": [1.0], "4e": [], "2e2mu": []}},
            "squares.4mu: Tuple should have at least 37 items after validation, not 1",
        ),
        (
            {"squares": {"4mu": [-1.0] * 37}},
            "squares.4mu.0: Input should be greater than or equal to 0 (it is -1.0)",
        ),
        ({"sums": {"5mu": [1.0] * 37}}, "sums.5mu: Input should be '4mu', '4e' or '2e2mu' (it is \"5mu\")"),
    ],
)
def test_wrong_weights_are_named(changed: dict[str, Any], fault: str) -> None:
    assert refusal(weights(**changed)) == f"{KEY}: weights.{fault}"


def test_no_events_weigh_nothing() -> None:
    empty = document("DS", 0, weights=weights()["weights"])
    assert refusal(empty) == f"{KEY}: weights.processed is 9.5, of 0 events processed"


def test_whole_numbers_may_be_written_as_floats_as_root_does() -> None:
    floats = {**GOOD, "processed": 10.0, "mass4mu_8TeV_low": [float(n) for n in histogram({18: 3})]}
    assert parse_result(KEY, json.dumps(floats).encode()) == parse_result(KEY, json.dumps(GOOD).encode())


def test_a_later_workload_may_add_fields() -> None:
    assert parse_result(KEY, json.dumps({**GOOD, "sumw2": [1.0]}).encode()).processed == 10


BROKEN: list[tuple[bytes, str]] = [
    (b"", "the object is empty"),
    (b"{", "Invalid JSON: EOF while parsing an object at line 1 column 1"),
    (json.dumps(GOOD).encode()[:-20], "Invalid JSON: EOF while parsing a value at line 1 column 431"),
    (b"\xff\xfe", "Invalid JSON: expected value at line 1 column 1"),
    (b"[" * 100_000, "Invalid JSON: recursion limit exceeded at line 1 column 202"),
    (b"x" * (2 << 20), "the object has 2097152 bytes, a result document at most 1048576"),
    (b"null", "Input should be an object"),
    (b"[]", "Input should be an object"),
    (b'"3"', 'Input should be an object (it is "3")'),
    (b"{}", "samplename: Field required"),
]


@pytest.mark.parametrize(("raw", "reason"), BROKEN)
def test_what_is_no_document_is_refused(raw: bytes, reason: str) -> None:
    assert refusal(raw) == f"{KEY}: {reason}"


@cases
def test_a_fault_is_named_with_its_field(fields: dict[str, Any], reason: str) -> None:
    assert refusal({**GOOD, **fields}) == f"{KEY}: {reason}"


@pytest.mark.parametrize(("processed", "test_mode"), [(120, False), (0, True)])
def test_a_part_of_a_file_is_of_all_its_events_or_of_none_in_test_mode(
    processed: int, test_mode: bool
) -> None:
    of_part = document("DS", processed, entries=[60, 180], test_mode=test_mode)
    assert parse_result(KEY, json.dumps(of_part).encode()).entries == (60, 180)


@pytest.mark.parametrize("field", ["samplename", "processed", "mass4mu_8TeV_low", "mass2mu2e_8TeV_low"])
def test_a_missing_field_is_named(field: str) -> None:
    assert refusal({name: GOOD[name] for name in GOOD if name != field}) == f"{KEY}: {field}: Field required"


@pytest.mark.parametrize("key", ["", "a.json", "DS/a.json", "results/DS/.json", "out/results/DS/a.json"])
def test_a_key_without_dataset_and_shard_is_refused(key: str) -> None:
    assert refusal(GOOD, key) == f"{key}: the key names no shard: it should be results/<dataset>/<shard>.json"


def test_a_refusal_stays_on_one_line_whatever_the_key() -> None:
    message = refusal(b"", "results/DS/a\n\x1b[31m\u202eb" + "c" * 1000)
    assert message.startswith("results/DS/a\\u000a\\u001b[31m\\u202eb")
    assert message.isprintable()
    assert len(message) < 600


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reading(raw: bytes) -> None:
    assert refusal(raw).isprintable()


@given(st.sampled_from(sorted(GOOD)), JSON_VALUES)
def test_a_document_is_either_refused_in_one_line_or_sound(field: str, value: Any) -> None:
    try:
        result = parse_result(KEY, json.dumps({**GOOD, field: value}).encode())
    except ResultError as error:
        refused = str(error)
    else:
        refused = f"{KEY}: "
        assert all(0 <= sum(counts) <= result.processed for counts in result.counts.values())
    assert refused.startswith(f"{KEY}: ")
    assert refused.isprintable()


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        (
            {},
            (
                "entries is missing: the shard is events 60 to 180 of its file, and an image that "
                "does not say so has read all of it; run it without shard_events"
            ),
        ),
        ({"entries": [0, 120]}, "entries are 0 to 120, not 60 to 180"),
    ],
)
def test_the_result_of_a_part_of_a_file_must_say_that_it_is_of_that_part(
    stated: dict[str, Any], reason: str
) -> None:
    of_file, of_part = document("DS", 120, **stated), document("DS", 120, entries=[60, 180])
    with pytest.raises(ResultError) as refused:
        parse_result(KEY, json.dumps(of_file).encode(), entries=(60, 180))
    assert str(refused.value) == f"{KEY}: {reason}"
    assert parse_result(KEY, json.dumps(of_part).encode(), entries=(60, 180)).processed == 120
    thrown_away = document("DS", 0, test_mode=True)
    assert parse_result(KEY, json.dumps(thrown_away).encode(), entries=(60, 180)).test_mode
