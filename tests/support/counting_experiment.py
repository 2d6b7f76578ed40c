"""The simplest search: some events of signal and of background are expected in one bin."""

from typing import Any


def counting(signal: float, background: float, observed: int, error: float = 0.0) -> dict[str, Any]:
    """Its pyhf workspace; `error` is the relative one of the background."""
    strength = {"name": "mu", "type": "normfactor", "data": None}
    statistics = {"name": "statistics", "type": "staterror", "data": [error * background]}
    samples = [
        {"name": "higgs", "data": [signal], "modifiers": [strength]},
        {"name": "zz", "data": [background], "modifiers": [statistics] if error else []},
    ]
    parameters = [{"name": "mu", "bounds": [[0, 20]]}]
    return {
        "version": "1.0.0",
        "channels": [{"name": "4l", "samples": samples}],
        "observations": [{"name": "4l", "data": [observed]}],
        "measurements": [{"name": "higgs", "config": {"poi": "mu", "parameters": parameters}}],
    }
