"""The significance of the excess over the backgrounds, and the signal strength in it.

The test statistic is that of a discovery, q0 = -2 ln λ(0) for an excess and 0 otherwise, with its asymptotic
distribution: the significance is √q0. The expected significance is that of the Asimov data set, which has in
every bin the events expected with the Higgs boson (G. Cowan, K. Cranmer, E. Gross, O. Vitells, Eur. Phys. J.
C 71 (2011) 1554). The signal strength's 68% interval is where -2 ln λ is below 1.
"""

from dataclasses import dataclass, replace
from typing import Any

from higgsdemo.catalogue import Catalogue
from higgsdemo.physics.histfactory import Model
from higgsdemo.physics.likelihood import Likelihood, NoConvergenceError
from higgsdemo.physics.mass_scan import local_p_values
from higgsdemo.physics.normalisation import Spectrum
from higgsdemo.physics.workspace import NoFitError, workspace


@dataclass(frozen=True)
class Discovery:
    """Significances in standard deviations, and the signal strength in units of the expected one.

    A number that cannot be given is None, and `statement` says why.
    """

    observed_significance: float | None = None
    expected_significance: float | None = None
    signal_strength: float | None = None
    signal_strength_interval: tuple[float, float] | None = None
    """68%; the signal strength is taken to be 0 or more."""
    statement: str | None = None
    scan: tuple[tuple[float, float], ...] = ()
    """Signal strengths, and how much more -2 ln L is there than at the best."""
    uncertainties: tuple[str, ...] = ()
    """Those of the catalogue; always there are those of the simulated events and of the luminosity."""
    masses: tuple[tuple[float, float, float], ...] = ()
    """Masses of the Higgs boson in GeV, the local p-value of each, and the expected one for 125 GeV."""


def in_words(discovery: Discovery) -> list[str]:
    """Return the known numbers, one per line; the last line says what is unknown."""
    lines = []
    if discovery.expected_significance is not None:
        seen = discovery.observed_significance
        observed = "" if seen is None else f"{seen:.1f}σ observed, "
        lines.append(f"Significance: {observed}{discovery.expected_significance:.1f}σ expected")
    if discovery.signal_strength is not None and discovery.signal_strength_interval is not None:
        mu, (low, high) = discovery.signal_strength, discovery.signal_strength_interval
        lines.append(f"Signal strength: {mu:.2f} +{high - mu:.2f} −{mu - low:.2f}")
    if lines and not discovery.uncertainties:
        lines.append("Errors: statistical and luminosity only")
    if discovery.statement:
        unknown = "observed significance" if discovery.observed_significance is None else "signal strength"
        lines.append(f"No {unknown}: {discovery.statement}")
    return lines


def discovery_in(spectrum: Spectrum, catalogue: Catalogue) -> tuple[Discovery, dict[str, Any] | None]:
    """Return the discovery in a spectrum, and the fitted workspace; None where there is nothing to fit."""
    try:
        fitted = workspace(spectrum, catalogue)
    except NoFitError as error:
        return Discovery(statement=str(error)), None
    try:
        found = discover(fitted, spectrum.observed)
        if spectrum.observed:
            found = replace(found, masses=local_p_values(spectrum, catalogue))
    except NoConvergenceError as error:
        found = Discovery(statement=str(error))
    names = dict.fromkeys(one.name for one in catalogue.uncertainties)
    return replace(found, uncertainties=tuple(names)), fitted


def discover(fitted: dict[str, Any], observed: bool = True) -> Discovery:
    """Fit a workspace; without data (not `observed`) it has only an expected significance.

    :raises NoConvergenceError: when the fit has not converged.
    """
    model = Model(fitted)
    asimov = Likelihood(model, model.expected(1.0))
    expected = asimov.deviations(0.0)
    asimov.require_lowest()
    if not observed:
        return Discovery(expected_significance=expected, statement="no event of data was analysed")
    seen = Likelihood(model, model.observed)
    significance, interval = seen.deviations(0.0), seen.interval()
    if interval is None:
        seen.require_lowest()
        why = f"the data are compatible with all up to {seen.highest:.3g}"
        return Discovery(significance, expected, statement=why)
    scan = seen.scan(interval)
    seen.require_lowest()
    return Discovery(significance, expected, seen.strength, interval, scan=scan)
