"""The command's answers when nothing runs, or nothing can."""

from pathlib import Path

import pytest

from demo.__main__ import main


def test_down_and_status_say_that_nothing_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--state", str(tmp_path), "down"]) == 0
    assert main(["--state", str(tmp_path), "status"]) == 0
    assert capsys.readouterr().out == (
        "The services were not running.\nThe services are not running; `make up` starts them.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--conf", "{"], "the conf is not JSON: "),
        (["--conf", "[]"], 'the conf must be a JSON object, such as {"max_shards": 2}'),
        (["--conf", '{"maping": []}'], 'has no key "maping"; did you mean "mapping"?'),
        (["--campaign", "nowhere"], "nowhere.json"),
    ],
)
def test_a_hopeless_run_is_refused_before_anything_starts(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--state", str(tmp_path), "run", *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "supervisord.conf").exists()
