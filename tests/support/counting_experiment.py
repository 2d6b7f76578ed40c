"""The simplest search: some events of signal and of background are expected in a bin, or in several alike.

In a model of one bin with s signal and b background events, n observed:

- b known: q0 = 2 (n ln(n / b) - n + b), the significance of a counting experiment (Cowan, Cranmer, Gross,
  Vitells, Eur. Phys. J. C 71 (2011) 1554, eq. 52; its Asimov value is eq. 97);
- with a relative error d of b: the factor of the background γ, Gaussian about 1, is profiled. With a signal
  of s events n b / (s + γ b) - b - (γ - 1) / d² = 0, which falls with γ (pyhf keeps γ below 10);
  at the best strength, (n - b) / s, γ = 1.
"""

from math import log, sqrt
from typing import Any

from scipy.optimize import brentq


def counting(
    signal: float, background: float, observed: int, error: float = 0.0, bins: int = 1
) -> dict[str, Any]:
    """Its pyhf workspace; `error` is the relative one of the background."""
    strength = {"name": "mu", "type": "normfactor", "data": None}
    statistics = {"name": "statistics", "type": "staterror", "data": [error * background] * bins}
    samples = [
        {"name": "higgs", "data": [signal] * bins, "modifiers": [strength]},
        {"name": "zz", "data": [background] * bins, "modifiers": [statistics] if error else []},
    ]
    parameters = [{"name": "mu", "bounds": [[0, max(20.0, 2 * (observed + 10) / signal)]]}]
    return {
        "version": "1.0.0",
        "channels": [{"name": "4l", "samples": samples}],
        "observations": [{"name": "4l", "data": [observed] * bins}],
        "measurements": [{"name": "higgs", "config": {"poi": "mu", "parameters": parameters}}],
    }


def fall(n: float, s: float, b: float, d: float = 0.0) -> float:
    """-2 ln λ of n observed events over s + b expected, where b has the relative error d."""
    gamma = 1.0
    if d:

        def slope(g: float) -> float:
            return float(n * b / (s + g * b) - b - (g - 1) / d**2)

        gamma = min(brentq(slope, 1e-10, 1e4, xtol=1e-12), 10.0) if slope(1e-10) > 0 else 1e-10
    mean = s + gamma * b
    pulled = (gamma - 1) ** 2 / d**2 if d else 0.0
    return 2 * (mean - n + (n * log(n / mean) if n else 0.0)) + pulled


def closed_form(n: float, b: float, d: float = 0.0) -> float:
    """√q0 of n observed events over a background b with the relative error d."""
    return sqrt(fall(n, 0.0, b, d)) if n > b else 0.0
