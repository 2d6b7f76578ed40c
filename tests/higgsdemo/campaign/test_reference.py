"""docs/configuration.md: current, and with nothing left out."""

from higgsdemo.campaign.entries import ClusterEntry
from higgsdemo.campaign.model import Campaign
from higgsdemo.campaign.reference import REFERENCE_FILE, reference_text
from higgsdemo.campaign.trigger_conf import CONF_KEYS


def test_the_written_page_is_current() -> None:
    assert REFERENCE_FILE.read_text(encoding="utf-8") == reference_text(), "run make docs"


def test_every_field_says_what_it_is_and_what_it_must_be() -> None:
    rows = [line.split(" | ") for line in reference_text().splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    assert [cells[0] for cells in rows if len(cells) != 4 or not cells[1] or not cells[2]] == []


def test_no_field_is_left_out() -> None:
    text = reference_text()
    names = [info.alias or name for name, info in Campaign.model_fields.items()]
    for name in (*names, *ClusterEntry.model_fields, *CONF_KEYS):
        assert f"`{name}`" in text


def test_a_bar_ends_no_cell_and_nothing_is_taken_for_html() -> None:
    assert "kubecon-demo-&lt;position>" in reference_text()
    assert "`local-<cores>`" in reference_text()
