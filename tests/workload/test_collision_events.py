"""Real collision events through the real process give the published masses, bin by bin."""

from pathlib import Path

import pytest

from collision_events import CHANNELS, mass_histogram, read_events, requires_collision_events, write_nanoaod
from pod_process import Pod, shard

HISTOGRAMS = {"4mu": "mass4mu_8TeV_low", "4e": "mass4e_8TeV_low", "2e2mu": "mass2mu2e_8TeV_low"}


@requires_collision_events
@pytest.mark.parametrize("rules", ["level4", "outreach"])
@pytest.mark.parametrize("channel", CHANNELS)
def test_real_events_give_exactly_the_histogram_of_their_published_masses(
    channel: str, rules: str, tmp_path: Path
) -> None:
    pod = Pod(tmp_path)
    pod.environ |= {"SELECTION": rules, "DATATYPE": "data"}
    pod.give(*(shard(path) for path in write_nanoaod(channel, tmp_path)))

    assert pod.run().code == 0

    document = pod.result(f"{channel}_0")
    events = read_events(channel)
    assert document["processed"] == len(events)
    assert sorted((run, event, mass) for _, run, _, event, mass in document["candidates"]) == [
        (run, event, pytest.approx(mass, abs=1e-3))
        for run, event, mass in sorted(zip(events["Run"], events["Event"], events["M"], strict=True))
        if 70 <= mass < 181
    ]
    assert {one[0] for one in document["candidates"]} == {channel}
    assert {name: document[name] for name in HISTOGRAMS.values()} == {
        name: mass_histogram(channel) if this == channel else [0] * 37 for this, name in HISTOGRAMS.items()
    }
