"""The simplest search: some events of signal and of background are expected in a bin, or in several alike."""

from typing import Any


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
