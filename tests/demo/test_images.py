"""What runs for an image's name: ours, and those that the examples say."""

import sys
from pathlib import Path

import pytest

from demo import images
from demo.images import WORKLOAD_IMAGE, workload_images


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of an example's image, in a checkout that has no other."""
    monkeypatch.setattr(images, "REPOSITORY", tmp_path)
    file = tmp_path / "examples" / "mine" / "image.json"
    file.parent.mkdir(parents=True)
    return file


def test_an_example_runs_in_its_folder_with_our_libraries_unless_it_says_otherwise(example: Path) -> None:
    example.write_text('{"mine:1": {"Entrypoint": ["python", "mine.py"]}, "root:1": {"WorkingDir": "/"}}')
    found = workload_images()
    assert list(found) == [WORKLOAD_IMAGE, "mine:1", "root:1"]
    assert found[WORKLOAD_IMAGE].Entrypoint == [sys.executable, "-m", "workload"]
    assert (found["mine:1"].Entrypoint, found["mine:1"].WorkingDir) == (
        ["python", "mine.py"],
        str(example.parent),
    )
    assert found["root:1"].WorkingDir == "/"
    assert found["mine:1"].Env == found[WORKLOAD_IMAGE].Env


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "the whole: Invalid JSON"),
        ("[]", "the whole: Input should be an object"),
        ('{"mine:1": []}', r"mine:1: Input should be .*object"),
        ('{"mine:1": {"Entrypoint": "python mine.py"}}', r"mine:1\.Entrypoint: .* valid array"),
        ('{"mine:1": {"entrypoint": ["python"]}}', r"mine:1\.entrypoint: Extra inputs are not permitted"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_field(example: Path, text: str, fault: str) -> None:
    example.write_text(text)
    with pytest.raises(ValueError, match=rf"examples/mine/image\.json cannot be read \({fault}.*such as"):
        workload_images()
