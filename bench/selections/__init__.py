"""The four-lepton selection in several ways, each a module with `prepare(path)`.

It returns the timed work: read the file, select, and count the selected events by channel. The Python that
has a module's packages runs it, which need not be the project's.
"""

CHANNELS = ("4mu", "4e", "2e2mu")
Z_MASS = 91.1876
MASSES = {"Muon": 0.105658, "Electron": 0.0005109989}
ISOLATION = {"Muon": "pfRelIso04_all", "Electron": "pfRelIso03_all"}
LEAST_PT = {"Muon": 5.0, "Electron": 7.0}
MOST_ETA = {"Muon": 2.4, "Electron": 2.5}
FIELDS = ("pt", "eta", "phi", "charge", "dxy", "dz", "dxyErr", "dzErr")


def branches() -> list[str]:
    """Return the branches that the selection needs."""
    return [f"{collection}_{field}" for collection in ISOLATION for field in (*FIELDS, ISOLATION[collection])]
