"""Writes the demo's dataset: simulated collisions in the format of CMS open data.

The real campaign reads 70 TB that nobody has at hand. So that the same campaign can be shown on one
machine, this makes a few hundred thousand toy events: a Higgs boson at 125 GeV, its backgrounds, and
pseudo-data whose selected spectrum is the published one. They teach how a campaign runs; they are not CMS
data and nothing can be learnt from them about nature, which is why every name and title says "Simulated".
"""

from typing import Final

VERSION: Final = 1
"""Raise it whenever the events change: datasets of another version are written anew."""
