"""Files of certified luminosity sections: read, checked, and kept with the run that counts by them."""

import json
import re
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from higgsdemo.datasets.certified import (
    LARGEST,
    CertifiedError,
    certified_files,
    dump,
    parse_sections,
    read_certified,
    unite,
)
from higgsdemo.storage.object_store import StorageError
from planned_runs import dataset
from refusals import table
from web_server import WebServer

SECTIONS = st.dictionaries(
    st.integers(1, 9), st.sets(st.integers(1, 40), min_size=1).map(lambda s: unite((n, n) for n in s))
)


@given(SECTIONS)
def test_a_file_is_read_as_it_was_written(sections: dict[int, tuple[tuple[int, int], ...]]) -> None:
    read = parse_sections(list(json.loads(dump(sections)).items()))
    assert read == sections


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 9)).map(lambda one: (one[0], sum(one)))))
def test_ranges_are_united_to_the_fewest_of_the_same_sections(ranges: list[tuple[int, int]]) -> None:
    sections = sorted({section for first, last in ranges for section in range(first, last + 1)})
    runs = [[n for _, n in group] for _, group in groupby(enumerate(sections), lambda one: one[1] - one[0])]
    assert unite(ranges) == tuple((run[0], run[-1]) for run in runs)


@pytest.mark.parametrize(("content", "told"), [*table("certified"), ("[" * 10**5, "maximum recursion depth")])
def test_what_certifies_nothing_is_refused(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "c.json").write_text(content)
    form = '"<run>": [[<first section>, <last>], ...], ...}'
    with pytest.raises(CertifiedError, match=f"^c.json does not .*{re.escape(f'{form}: {told}')}"):
        read_certified("c.json", tmp_path)


def test_a_file_that_leaves_a_manifest_no_room_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(dump({run: ((1, 1000),) for run in range(1, 20_000)}))
    with pytest.raises(CertifiedError, match=f"it has more than {LARGEST} bytes"):
        read_certified("c.json", tmp_path)


def test_a_file_may_be_on_the_web(web_server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(web_server.authority))
    url = web_server.put("record/1/files/Cert.txt", b'{"7": [[1, 2],\n [4, 4]]}')
    assert read_certified(url) == {7: ((1, 2), (4, 4))}
    with pytest.raises(CertifiedError, match="does not have the form"):
        read_certified(web_server.put("Cert.txt", b"<html>The portal is away</html>"))
    with pytest.raises(StorageError, match="there is no such"):
        read_certified(f"{web_server.url}/none.txt")
    with pytest.raises(CertifiedError, match=r"none\.json cannot be read: No such file"):
        read_certified("none.json")


def test_the_same_sections_are_kept_as_the_same_file(tmp_path: Path) -> None:
    for name, content in {
        "one": '{"7": [[1, 2]]}',
        "same": '{ "7":[[1,2]] }',
        "other": '{"7": [[1, 3]]}',
    }.items():
        (tmp_path / f"{name}.json").write_text(content)
    refs = [dataset(name, certified=f"{name}.json") for name in ("one", "same", "other")]
    files = certified_files([*refs, dataset("all")], tmp_path)
    assert sorted(files) == ["one", "other", "same"]
    assert files["one"] == files["same"] != files["other"]
