"""A tool of the field beside pyhf reads the workspace, fits it, and draws its plots."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyhf
import pytest

from higgsdemo.physics.discovery import discover
from higgsdemo.physics.workspace import workspace
from result_documents import catalogue, recorded, sample, spectrum_of, stored

cabinetry: Any = pytest.importorskip("cabinetry", reason="cabinetry is not installed: `make develop`")


@pytest.fixture
def optimizer() -> Iterator[None]:
    """Give pyhf back the optimizer that cabinetry replaces."""
    backend = pyhf.get_backend()
    yield
    pyhf.set_backend(*backend)


@pytest.mark.usefixtures("optimizer")
@pytest.mark.filterwarnings("ignore")
def test_cabinetry_finds_the_same_strength_and_draws_pulls_and_ranking(tmp_path: Path) -> None:
    known = catalogue(*(sample(group, group, files=1) for group in ("data", "higgs", "zz")))
    known = known.model_copy(update={"luminosity_uncertainty": {2012: 0.026}})
    counts = {"HIGGS": {17: 80, 18: 250, 19: 40}, "ZZ": dict.fromkeys(range(17, 20), 90)}
    simulated = (stored(name, "x", 1000, {"4mu": bins}) for name, bins in counts.items())
    data = recorded("DATA", "x", 1000, {"4mu": {17: 160, 18: 390, 19: 110}})
    fitted = workspace(spectrum_of(known, data, *simulated), known)
    model, seen = cabinetry.model_utils.model_and_data(fitted)
    found = cabinetry.fit.fit(model, seen)
    strength = found.labels.index("signal_strength")
    assert found.bestfit[strength] == pytest.approx(discover(fitted).signal_strength, abs=2e-3)
    ranking = cabinetry.fit.ranking(model, seen, fit_results=found)
    assert "luminosity_2012" in ranking.labels
    cabinetry.visualize.pulls(found, figure_folder=tmp_path)
    cabinetry.visualize.ranking(ranking, figure_folder=tmp_path)
    assert {"pulls.pdf", "ranking.pdf"} <= {path.name for path in tmp_path.iterdir()}
