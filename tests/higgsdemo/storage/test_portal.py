"""What the CERN Open Data portal answers is a record with its files, or refused in words."""

from collections.abc import Callable

import pytest

from higgsdemo.storage import portal
from higgsdemo.storage.connections import StorageError
from higgsdemo.storage.portal import Record, read_record
from open_data import ERROR_PAGE, OpenData, entry

DOI = "10.7483/OPENDATA.CMS.AB12.CD34"
FOLDER = "eos/opendata/cms/Run2016G/Mu/NANOAOD"
TEN = [entry(f"{FOLDER}/{number}.root", 1000 + number, 0xAB0 + number) for number in range(10)]
OLD = "CMS_Run2010B_Mu_file_index"


def read(open_data: OpenData, number: int = 30511) -> Record:
    return read_record(f"{open_data.url}/api/records/{number}")


def test_a_record_has_the_files_of_all_of_its_indexes_once(open_data: OpenData) -> None:
    many = [entry(f"{FOLDER}/{number:04}.root", number, number) for number in range(3000)]
    indexes = {f"{n}_file_index.json": many[n * 1000 : (n + 1) * 1000] for n in range(3)}
    open_data.record(30511, [many[0]], indexes, distribution={"number_files": 3000})
    record = read(open_data)
    assert list(record.files) == [file["uri"] for file in many]
    assert (record.number, record.title, record.simulated) == (3000, "/Mu30511/Run2016G-v1/NANOAOD", False)
    last = record.files[many[-1]["uri"]]
    assert (last.size, last.adler32, last.availability) == (2999, "adler32:00000bb7", "online")


def test_a_record_is_found_by_its_doi(open_data: OpenData) -> None:
    open_data.record(12, TEN, kind="Simulated", doi=DOI)
    record = read_record(open_data.search(DOI, 12))
    assert (record.id, record.url, record.simulated) == (12, f"{open_data.url}/api/records/12", True)
    with pytest.raises(StorageError, match=f'has no record of that DOI: it found "{DOI}"'):
        read_record(open_data.search(f"{DOI}.1", 12))
    with pytest.raises(StorageError, match=r"has no record of the DOI: .* finds none"):
        read_record(open_data.search(DOI))


@pytest.mark.parametrize(("keys", "sized"), [(["json"], True), (["txt"], False), (["txt", "json"], True)])
@pytest.mark.parametrize("as_files", [True, False])
def test_an_old_record_has_its_index_in_a_file(
    open_data: OpenData, keys: list[str], sized: bool, as_files: bool
) -> None:
    for key in keys:
        open_data.index(5, f"{OLD}.{key}", TEN)
    lists = [entry(f"{FOLDER}/file-indexes/{OLD}.{key}", 1, 1) for key in keys]
    indexes = {f"{OLD}.{key}": None for key in keys}
    open_data.record(5, lists if as_files else None, {} if as_files else indexes)
    files = read(open_data, 5).files
    assert list(files) == [file["uri"] for file in TEN]
    assert {file.size is not None for file in files.values()} == {sized}
    assert {file.adler32 is not None for file in files.values()} == {sized}


@pytest.mark.parametrize(
    ("said", "kept"),
    [("adler32:1A2b", "adler32:00001a2b"), ("adler32:123456789", None), ("sha1:00", None), (None, None)],
)
def test_checksums_have_eight_digits(open_data: OpenData, said: str | None, kept: str | None) -> None:
    open_data.record(1, [TEN[0] | {"checksum": said}])
    (file,) = read(open_data, 1).files.values()
    assert file.adler32 == kept


def test_files_lie_where_they_their_index_or_their_record_says(open_data: OpenData) -> None:
    one, two, three = (dict(file) for file in TEN[:3])
    two["availability"] = "online"
    open_data.record(1, [one], {"a_file_index.json": [two, three]}, availability="ondemand")
    assert [file.availability for file in read(open_data, 1).files.values()] == [
        "ondemand",
        "online",
        "ondemand",
    ]


def _serve(content: bytes, status: int = 200, **headers: str) -> Callable[[OpenData], None]:
    def serve(open_data: OpenData) -> None:
        open_data.server.put("api/records/30511", content)
        open_data.server.odd["api/records/30511"] = status, headers

    return serve


ODD: dict[str, tuple[Callable[[OpenData], None], str, bool]] = {
    "an error page": (_serve(ERROR_PAGE), "is not the API of the CERN Open Data portal", False),
    "another document": (_serve(b'{"id": 1}'), "metadata.title: Field required", False),
    "a negative size": (
        _serve(b'{"id": 1, "metadata": {"title": "A", "files": [{"uri": "a", "size": -1}]}}'),
        "metadata.files.0.size: Input should be greater than or equal to 0",
        False,
    ),
    "deep": (_serve(b"[" * 100_000), "is not the API", False),
    "no record": (lambda open_data: None, "the portal answers 404 Not Found", True),
    "overload": (_serve(b"", 503), "the portal answers 503 Service Unavailable", False),
    "an address inside": (
        _serve(b"", 302, Location="http://169.254.169.254/latest/meta-data"),
        'it leads to "http://169.254.169.254/latest/meta-data", away from the portal',
        True,
    ),
    "a circle": (_serve(b"", 302, Location="/api/records/30511"), "from one address to another", False),
    "an index elsewhere": (
        lambda open_data: open_data.record(30511, None, {"../../x_file_index.json": None}),
        'names the index file "../../x_file_index.json", which is no plain name',
        True,
    ),
    "endless": (_serve(b"x" * 2000), "it has more than 1000 bytes", True),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_record_is_refused_in_words(
    open_data: OpenData, odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve, told, final = ODD[odd]
    serve(open_data)
    if odd == "endless":
        monkeypatch.setattr(portal, "LARGEST", 1000)
    with pytest.raises(StorageError) as refused:
        read(open_data)
    assert told in str(refused.value)
    assert refused.value.final is final


def test_a_redirection_may_stay_on_the_portal(open_data: OpenData) -> None:
    _serve(b"", 301, Location="/api/records/7")(open_data)
    open_data.record(7, TEN)
    assert read(open_data).id == 7


def test_a_portal_that_is_down_or_takes_too_long_is_asked_again(
    open_data: OpenData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portal, "WHOLE", -1.0)
    open_data.record(30511, TEN)
    with pytest.raises(StorageError, match="it has not come within") as slow:
        read(open_data)
    with pytest.raises(StorageError, match=r"cannot read https://127\.0\.0\.1:1/api/records/1: ") as down:
        read_record("https://127.0.0.1:1/api/records/1")
    assert (slow.value.final, down.value.final) == (False, False)
