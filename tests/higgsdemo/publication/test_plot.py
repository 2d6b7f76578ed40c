"""The plot shows the numbers of the spectrum, says what they are, and is the same file every time."""

import hashlib
import os
import struct
import subprocess
import sys
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from matplotlib.text import Text

from higgsdemo.catalogue import Catalogue, Published, load_catalogue
from higgsdemo.physics.coverage import coverage_text
from higgsdemo.physics.discovery import Discovery
from higgsdemo.physics.exposure import Exposure, luminosity_text
from higgsdemo.physics.normalisation import Spectrum, normalise
from higgsdemo.publication.lettering import render
from higgsdemo.publication.plot import HIGGS_LABEL, draw, draw_channels
from higgsdemo.publication.scans_plot import draw_scans
from result_documents import NOTE, catalogue, histogram, merged, recorded, sample, stored
from tables import cases

FOUND = Discovery(12.6, 13.7, 0.953, (0.6, 1.384), uncertainties=("trigger",))
DATA = {0: 1, 7: 16, 18: 7, 36: 3}


def known(note: str | None = None) -> Catalogue:
    groups = ("higgs", "zz", "dy", "ttbar")
    return catalogue(
        sample("data", "data", files=2),
        *(sample(group, group, files=1) for group in groups),
        note=note,
        luminosity_pb={2012: 11580.0},
    )


def spectrum(data_shards: str = "xy", missing: str = "") -> Spectrum:
    """Return data of 27 events in the first shard; each of the simulated groups fills two bins."""
    events = [recorded("DATA", shard, 1000, {"4mu": DATA} if shard == "x" else {}) for shard in data_shards]
    simulated = {"HIGGS": {18: 4, 17: 1}, "ZZ": {7: 15, 36: 2}, "DY": {7: 2, 10: 1}, "TTBAR": {7: 1, 30: 1}}
    events += [
        stored(name, "x", 11580, {"2e2mu": counts}) for name, counts in simulated.items() if name != missing
    ]
    merge = merged(events)
    assert merge.corrupt == {}
    return normalise(merge.datasets, known(), {"DATA": 2, "HIGGS": 1, "ZZ": 1, "DY": 1, "TTBAR": 1})


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]  # type: ignore[attr-defined]


def axes_of(figure: Figure) -> Axes:
    axes, _ = figure.axes
    return axes


def test_real_data_are_called_cms_open_data_in_the_form_of_the_experiment() -> None:
    figure = draw(spectrum(), known())
    shown = texts(figure)
    first = shown.index("CMS")
    assert shown[first + 1] == "Open Data"
    styles = {
        text.get_text(): (text.get_fontweight(), text.get_fontstyle()) for text in axes_of(figure).texts
    }
    assert (styles["CMS"], styles["Open Data"]) == (("bold", "normal"), ("normal", "italic"))
    assert "11.6 fb$^{-1}$ (8 TeV)" in shown
    assert {r"$m_{4\ell}$ [GeV]", "Events / 3 GeV"} <= set(shown)


def test_the_note_stands_in_the_place_of_cms_open_data() -> None:
    shown = texts(draw(spectrum(), known(NOTE)))
    assert "Simulated data, not\nCMS collisions" in shown
    assert "Pseudo-data" in shown
    assert not {"CMS", "Open Data", "Data"} & set(shown)


def test_each_channel_has_a_plot_of_its_own_events() -> None:
    figures = draw_channels(spectrum(), known())
    assert list(figures) == ["4mu", "4e", "2e2mu"]
    assert [r"4$\mu$" in texts(figure) for figure in figures.values()] == [True, False, False]
    drawn = {}
    for channel, figure in figures.items():
        lines = [patch for patch in axes_of(figure).patches if patch.get_label() == HIGGS_LABEL]
        drawn[channel] = sum(line.get_data().values.sum() for line in lines if isinstance(line, StepPatch))
    assert drawn == {"4mu": 0, "4e": 0, "2e2mu": 27}
    points = {
        channel: sum(isinstance(one, ErrorbarContainer) for one in axes_of(figure).containers)
        for channel, figure in figures.items()
    }
    assert points == {"4mu": 1, "4e": 0, "2e2mu": 0}


def test_a_channel_without_a_processed_event_has_no_plot() -> None:
    known_of_muons = catalogue(sample("data", "data", channels=("4mu",), files=1))
    merge = merged([recorded("DATA", "x", 100, {"4mu": {18: 1}})])
    assert list(draw_channels(normalise(merge.datasets, known_of_muons, {"DATA": 1}), known_of_muons)) == [
        "4mu"
    ]


def test_published_events_are_rings_in_the_bins_of_the_plot() -> None:
    """7 events in the bin of 3 GeV at 124 GeV, and 4 in one of 6 GeV, which are 2 in 3 GeV."""
    bins = [{"low": 124, "high": 127}, {"low": 127, "high": 133}, {"low": 181, "high": 184}]
    published = Published.model_validate({"label": "Others", "bins": bins, "counts": [7, 4, 9]})
    axes = axes_of(draw(spectrum(), known(), published=published))
    (rings,) = [line for line in axes.lines if line.get_label() == "Others"]
    assert rings.get_xydata().tolist() == [[125.5, 7.0], [130.0, 2.0]]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()][:2] == ["Data", "Others"]


def test_the_legend_goes_from_the_data_down_the_stack() -> None:
    legend = axes_of(draw(spectrum(), known())).get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "Data",
        r"$m_{H}$ = 125 GeV",
        r"ZZ $\to$ 4$\ell$",
        r"Z/$\gamma^{*}$ + X",
        r"$t\bar{t}$",
        "Uncertainty",
    ]


@pytest.mark.parametrize(
    ("name", "counts", "legend"),
    [
        ("DATA", {7: 1}, ["Data"]),
        ("DATA", {}, []),
        ("ZZ", {}, []),
        ("HIGGS", {18: 1}, ["$m_{H}$ = 125 GeV", "Uncertainty"]),
        ("ZZ", {7: 1}, ["ZZ $\\to$ 4$\\ell$", "Uncertainty"]),
    ],
)
def test_what_is_not_drawn_is_not_in_the_legend(name: str, counts: dict[int, int], legend: list[str]) -> None:
    merge = merged([recorded(name, "x", 11580, {"4mu": counts})])
    figure = draw(normalise(merge.datasets, known(), {name: 1}), known())
    drawn = axes_of(figure).get_legend()
    assert [text.get_text() for text in (drawn.get_texts() if drawn else ())] == legend
    points = [c for c in axes_of(figure).containers if isinstance(c, ErrorbarContainer)]
    assert bool(points) == ("Data" in legend)
    assert set(render(figure)) == {"png", "svg"}


def test_the_stack_adds_up_to_the_expected_events() -> None:
    (line,) = [
        patch for patch in axes_of(draw(spectrum(), known())).patches if patch.get_label() == HIGGS_LABEL
    ]
    assert isinstance(line, StepPatch)
    drawn = line.get_data()
    assert drawn.values.tolist() == histogram({7: 18, 10: 1, 17: 1, 18: 4, 30: 1, 36: 2})
    assert drawn.edges.tolist() == list(range(70, 182, 3))


def test_data_are_points_with_garwood_intervals_and_empty_bins_have_a_bar() -> None:
    """Central 68.27% intervals: 1 event 0.173 to 3.300, 3 events 1.367 to 5.918 (PDG, Statistics)."""
    axes = axes_of(draw(spectrum(), known()))
    (points,) = [c for c in axes.containers if isinstance(c, ErrorbarContainer)]
    x, y = points.lines[0].get_data()
    assert list(zip(x, y, strict=True)) == [(71.5, 1), (92.5, 16), (125.5, 7), (179.5, 3)]
    segments = points.lines[2][0].get_segments()
    ends = [(segment[0][1], segment[1][1]) for segment in segments]
    assert ends[0] == pytest.approx((0.173, 3.300), abs=5e-4)
    assert ends[3] == pytest.approx((1.367, 5.918), abs=5e-4)
    (bars,) = [lines for lines in axes.collections if len(lines.get_paths()) == 33]
    assert bars.get_paths()[0].vertices[:, 1].tolist() == [0.0, pytest.approx(1.841, abs=5e-4)]


def test_pulls_are_in_standard_deviations_of_what_is_expected() -> None:
    """Of 7 events in bin 18, where 4 of weight 1 are expected of the Higgs boson, and others are not seen."""
    whole = draw(spectrum(), known())
    (pulls,) = [patch for patch in whole.axes[1].patches if isinstance(patch, StepPatch)]
    unseen = 1.841**2 * (4 + 4 + 3)  # in 4mu and 4e of all four groups, in 2e2mu of the backgrounds
    assert pulls.get_data().values[18] == pytest.approx((7 - 4) / (4 + 4 + unseen) ** 0.5, rel=1e-3)


def test_a_partial_campaign_shows_its_luminosity_and_coverage() -> None:
    partial = spectrum(data_shards="x", missing="TTBAR")
    shown = texts(draw(partial, known()))
    assert "66.6% of the shards\n1 sample missing\n5790 of 11580 /pb (2012, 4mu)" in shown
    assert "5.8 fb$^{-1}$ (8 TeV)" in shown


def test_a_campaign_whose_data_exceed_the_luminosity_says_so() -> None:
    exposed = replace(spectrum(), exposures=(Exposure(2012, "4mu", 11580.0, 11580.0, 11580.0),))
    assert "data of 23160 /pb of 11580\n(2012, 4mu)" in texts(draw(exposed, known()))


def test_files_that_differ_in_what_they_are_selected_by_are_told() -> None:
    differing = replace(spectrum(), lacking={"Muon_isGlobal": {"TTBAR": 1}})
    assert "files differ in 1 branch" in texts(draw(differing, known()))


def test_a_sample_that_cannot_be_normalised_is_told() -> None:
    told = "weights of ttbar add up to\nnothing"
    assert told in texts(draw(replace(spectrum(), weightless=("ttbar",)), known()))


def test_a_complete_campaign_says_nothing_of_coverage() -> None:
    assert coverage_text(spectrum()) is None
    assert not [text for text in texts(draw(spectrum(), known())) if "shards" in text]


@pytest.mark.parametrize(
    ("covered", "text"),
    [
        ([[2011, "4mu", 2330], [2012, "4mu", 11580]], "2.3 fb$^{-1}$ (7 TeV) + 11.6 fb$^{-1}$ (8 TeV)"),
        ([[2012, "4mu", 11580], [2012, "4e", 11000]], "11.0–11.6 fb$^{-1}$ (8 TeV)"),
        ([[2012, "4mu", 11580], [2012, "4e", 11579]], "11.6 fb$^{-1}$ (8 TeV)"),
        ([[2011, "4mu", 0], [2012, "4mu", 23.4]], "0.023 fb$^{-1}$ (8 TeV)"),
        ([[2016, "4mu", 1000]], "1.0 fb$^{-1}$ (2016)"),
        ([[2012, "4mu", 0]], ""),
    ],
)
def test_luminosity_is_given_by_year_as_far_as_it_is_covered(covered: list[Any], text: str) -> None:
    exposures = tuple(Exposure(year, channel, 11580.0, pb) for year, channel, pb in covered)
    assert luminosity_text(exposures) == text


@pytest.mark.parametrize("note", [None, NOTE, NOTE + ", made for this demo", f"{NOTE}. " * 5])
def test_nothing_overlaps_and_nothing_is_cut_off(note: str | None) -> None:
    published = load_catalogue("cms-higgs").published["published"]
    figure = draw(spectrum(data_shards="x", missing="DY"), known(note), FOUND, published=published)
    render(figure)
    axes = axes_of(figure)
    legend = axes.get_legend()
    assert legend is not None
    boxes = [text.get_window_extent() for text in axes.texts] + [legend.get_window_extent()]
    for index, box in enumerate(boxes):
        assert not [other for other in boxes[:index] if box.overlaps(other)]
        assert figure.bbox.containsx(box.x0)
        assert figure.bbox.containsx(box.x1)
        assert figure.bbox.containsy(box.y1)
    (points,) = [c for c in axes.containers if isinstance(c, ErrorbarContainer)]
    ends = [segment[:, 1].max() for segment in points.lines[2][0].get_segments()]
    tallest = axes.transData.transform((0, max(ends)))[1]
    assert tallest < min(box.y0 for box in boxes)


@cases
def test_the_significance_is_told_or_why_it_is_not_known(found: dict[str, Any], told: list[str]) -> None:
    assert "\n".join(told) in texts(draw(spectrum(), known(), Discovery(**found)))


@pytest.mark.parametrize(
    ("note", "seen", "drawn"),
    [(None, 0.00135, 0.00135), (f"{NOTE}. " * 3, 0.00135, 0.00135), (None, 0, 1e-300)],
)
def test_scans_are_drawn_with_their_levels(note: str | None, seen: float, drawn: float) -> None:
    """A p-value of 0.00135 is 3 standard deviations; -2 ln L is a parabola that ends at 3² and 2².

    That of 40 standard deviations is 0.
    """
    scan = tuple((0.1 * n, (0.1 * n - 0.6) ** 2 / 0.04) for n in range(11))
    found = replace(FOUND, signal_strength=0.6, scan=scan, masses=((122, 0.5, 0.4), (125, seen, 0.002)))
    exposures = (Exposure(2012, "4mu", 11580.0, 11580.0),)
    figure = draw_scans(found, known(note), exposures)
    render(figure)
    masses, strengths = figure.axes
    assert masses.lines[0].get_xydata().tolist() == [[122, 0.5], [125, drawn]]
    assert len(masses.get_yticks()) <= 20
    assert masses.lines[1].get_xydata().tolist() == [[122, 0.4], [125, 0.002]]
    levels = {text.get_text().strip(): text.get_position()[1] for axes in figure.axes for text in axes.texts}
    assert levels[r"3$\sigma$"] == pytest.approx(0.00135, rel=1e-3)
    assert (levels["68%"], levels["95%"]) == (1.0, 3.841)
    fine, fall = strengths.lines[0].get_xydata().T
    assert fall == pytest.approx((fine - 0.6) ** 2 / 0.04, abs=0.05)
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts if text.get_transform() == axes.transAxes]
        boxes += [one.get_window_extent() for one in [axes.get_legend()] if one]
        assert not [one for n, one in enumerate(boxes) if any(one.overlaps(other) for other in boxes[:n])]


def test_an_empty_campaign_is_drawn_empty() -> None:
    nothing = normalise(merged([]).datasets, known(NOTE), {"DATA": 2})
    figure = draw(nothing, known(NOTE))
    assert "0.0% of the shards\n1 sample missing\n0 of 11580 /pb (2012, 4mu)" in texts(figure)
    assert axes_of(figure).get_ylim() == (0, 1)
    assert axes_of(figure).get_legend() is None
    assert set(render(figure)) == {"png", "svg"}


def test_the_files_are_a_png_and_an_svg_without_dates() -> None:
    files = render(draw(spectrum(), known()))
    assert files["png"][:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", files["png"][16:24]) == (1200, 1440)
    assert ElementTree.fromstring(files["svg"]).tag == "{http://www.w3.org/2000/svg}svg"
    assert b"dc:date" not in files["svg"]
    assert b"Matplotlib" not in files["png"] + files["svg"]


DIGEST = """
import hashlib, sys
sys.path[:0] = {path!r}
import higgsdemo.publication.chart, higgsdemo.publication.hepdata, higgsdemo.publication.summarise
print(*(name for name in sys.modules if name.startswith("matplotlib")))
import test_plot
files = test_plot.render(test_plot.draw(test_plot.spectrum(), test_plot.known(test_plot.NOTE)))
print(*(hashlib.sha256(files[kind]).hexdigest() for kind in ("png", "svg")))
"""


def test_another_process_draws_the_same_bytes_and_only_drawing_imports_matplotlib() -> None:
    files = render(draw(spectrum(), known(NOTE)))
    here = " ".join(hashlib.sha256(files[kind]).hexdigest() for kind in ("png", "svg"))
    there = subprocess.run(
        [sys.executable, "-c", DIGEST.format(path=[os.path.dirname(__file__), *sys.path])],
        env=os.environ | {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo", "MPLBACKEND": "TkAgg"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.split("\n") == ["", here, ""]


def test_drawing_leaves_the_settings_of_matplotlib_as_they_were() -> None:
    before = dict(matplotlib.rcParams)
    render(draw(spectrum(), known()))
    assert dict(matplotlib.rcParams) == before
