"""The likelihood's gradient, the scan over masses, and fits on other processors."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from math import erfc, sqrt
from pathlib import Path

import numpy as np
import pytest

from higgsdemo.catalogue import Catalogue, load_catalogue
from higgsdemo.physics.discovery import discover, discovery_in
from higgsdemo.physics.histfactory import Model
from higgsdemo.physics.mass_scan import MASSES
from higgsdemo.physics.normalisation import Spectrum
from result_documents import catalogue, recorded, sample, spectrum_of, stored

WORKSPACE = Path(__file__).parents[1] / "manifests" / "workspace.json"


@pytest.mark.parametrize("asimov", [False, True])
def test_the_gradient_is_that_of_small_steps(asimov: bool) -> None:
    """Of shapes, factors and weights, in bins with and without events, as far as the polynomials reach."""
    model, random = Model(json.loads(WORKSPACE.read_text(encoding="utf-8"))), np.random.default_rng(125)
    seen = model.expected(1.0) if asimov else model.observed
    seen = replace(seen, causes=random.normal(seen.causes), factors=0.7 * seen.factors)
    for _ in range(30):
        given = np.array([random.uniform(0.1, 3.0), *random.uniform(-1.5, 1.5, len(model.causes))])
        steps = 1e-5 * np.eye(len(given))
        slopes = [
            (model.value(given + step, seen) - model.value(given - step, seen)) / 2e-5 for step in steps
        ]
        assert model.gradient(given, seen) == pytest.approx(np.array(slopes), rel=1e-5, abs=1e-5)


def peaked(peak: int, last: int = 29) -> tuple[Catalogue, Spectrum]:
    """Return a spectrum with an excess in a bin, over a background up to the last one."""
    known = catalogue(*(sample(group, group, files=1) for group in ("data", "higgs", "zz")))
    background = dict.fromkeys(range(13, last + 1), 40)
    data = recorded("DATA", "x", 1000, {"4mu": background | {peak: 60}})
    simulated = {"HIGGS": {17: 5, 18: 15, 19: 4}, "ZZ": background}
    results = [stored(name, "x", 1000, {"4mu": counts}) for name, counts in simulated.items()]
    return known, spectrum_of(known, data, *results)


@pytest.mark.parametrize(("peak", "mass"), [(18, 125.0), (22, 137.0)])
def test_the_local_p_value_is_least_at_the_mass_of_an_excess(peak: int, mass: float) -> None:
    """Where the simulated Higgs boson is, it is that of the significance."""
    known, spectrum = peaked(peak)
    found, _ = discovery_in(spectrum, known)
    assert tuple(at for at, *_ in found.masses) == MASSES
    assert min(found.masses, key=lambda point: point[1])[0] == mass
    assert min(found.masses, key=lambda point: point[2])[0] == 125.0
    (here,) = (point for point in found.masses if point[0] == 125.0)
    significances = found.observed_significance, found.expected_significance
    assert here[1:] == pytest.approx([erfc((one or 0.0) / sqrt(2)) / 2 for one in significances], rel=1e-3)


def test_masses_at_which_a_signal_has_no_background_are_left_out() -> None:
    known, spectrum = peaked(18, last=21)
    found, _ = discovery_in(spectrum, known)
    assert max(mass for mass, *_ in found.masses) < 137.0


FIT = """
import json, sys
from pathlib import Path
from higgsdemo.physics.discovery import discover
found = discover(json.loads(Path(sys.argv[1]).read_text()))
print(found.observed_significance, found.expected_significance, found.signal_strength,
      *found.signal_strength_interval)
"""


def test_a_processor_without_vector_instructions_finds_the_same(tmp_path: Path) -> None:
    """Linear algebra of a processor of 2004, in one thread, and NumPy without its newer instructions."""
    known, spectrum = peaked(18)
    some = known.model_copy(update={"uncertainties": load_catalogue("cms-higgs").uncertainties})
    _, fitted = discovery_in(spectrum, some)
    assert fitted is not None
    (tmp_path / "workspace.json").write_text(json.dumps(fitted))
    features = np._core._multiarray_umath.__cpu_features__
    dispatched = [name for name in np._core._multiarray_umath.__cpu_dispatch__ if features.get(name)]
    older = {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1"}
    older |= {"NPY_DISABLE_CPU_FEATURES": " ".join(dispatched)} if dispatched else {}
    there = subprocess.run(
        [sys.executable, "-c", FIT, str(tmp_path / "workspace.json")],
        env=os.environ | older | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    here = discover(fitted)
    assert here.signal_strength_interval is not None
    assert [float(number) for number in there.stdout.split()] == pytest.approx(
        [
            *(here.observed_significance, here.expected_significance, here.signal_strength),
            *here.signal_strength_interval,
        ],
        abs=1e-3,
    )
