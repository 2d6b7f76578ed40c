"""Fit pseudo-experiments drawn from a run's own model: the fit should find what was put in.

Events of each bin, and the measurements that constrain the uncertainties, are drawn at random for a true
signal strength. The pull is √(-2 ln λ) of the true strength, negative where a lower one is found. Over many
pseudo-experiments its mean should be 0 and its width 1, as long as there are enough events.
"""

import argparse
import json
from math import copysign, sqrt
from pathlib import Path
from statistics import fmean, stdev

from bench.measure import BenchError
from bench.report import Report, Say, table


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the bench."""
    parser.add_argument("--workspace", type=Path, required=True, help="the workspace.json of a run")
    parser.add_argument("--strengths", type=float, nargs="+", default=[1.0], help="true signal strengths")
    parser.add_argument("--experiments", type=int, default=1000, help="pseudo-experiments of each")


def run(options: argparse.Namespace, say: Say) -> Report:
    """Fit the pseudo-experiments of each strength."""
    import numpy as np

    from higgsdemo.physics.histfactory import Model
    from higgsdemo.physics.likelihood import Likelihood

    try:
        model = Model(json.loads(options.workspace.read_text()))
    except (OSError, ValueError, KeyError) as error:
        raise BenchError(f"{options.workspace} is no workspace: {error}") from None
    found = table("True strength", "experiments", "mean strength", "mean pull", "±", "width", "±")
    for strength in options.strengths:
        say(f"Fitting {options.experiments} pseudo-experiments of signal strength {strength:g} ...")
        random = np.random.default_rng(125)
        fits = [Likelihood(model, model.draw(strength, random)) for _ in range(options.experiments)]
        pulls = [copysign(fit.deviations(strength), fit.strength - strength) for fit in fits]
        number = len(pulls)
        numbers = fmean(fit.strength for fit in fits), fmean(pulls), 1 / sqrt(number)
        widths = stdev(pulls), 1 / sqrt(2 * number)
        found.add_row(f"{strength:g}", f"{number:,}", *(f"{value:.3f}" for value in (*numbers, *widths)))
    return Report(__doc__.partition("\n")[2], found, (), ("iminuit",))
