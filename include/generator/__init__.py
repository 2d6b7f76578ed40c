"""The demo's dataset: simulated collisions in the format of CMS open data.

Nobody has the real campaign's 70 TB at hand. To show the same campaign on one machine, this makes a few
hundred thousand toy events: a Higgs boson at 125 GeV, its backgrounds, and pseudo-data whose selected
spectrum is the published one. They show how a campaign runs. They are not CMS data and teach nothing about
nature, which is why every name and title says "Simulated".
"""

from typing import Final

VERSION: Final = 2
"""Raise it when the events change: datasets of another version are written anew."""
