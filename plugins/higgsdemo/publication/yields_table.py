"""The yields of a summary as text, for a terminal and a task's log."""

from collections import defaultdict

from higgsdemo.physics.coverage import tell_certified
from higgsdemo.physics.discovery import in_words
from higgsdemo.physics.exposure import tell_beyond, tell_sections
from higgsdemo.physics.yields import WINDOW, Yield
from higgsdemo.publication.summary import Summary
from higgsdemo.results.document import HIGH, LOW
from higgsdemo.wording import align


def yields_table(summary: Summary) -> str:
    """Return the yields as plain text, one group per line, below what a reader must know.

    An analysis of one's own, or one without events in any group, has entries instead.
    """
    lines = _yields(summary) if summary.yields else _entries(summary)
    found = in_words(summary.discovery) if summary.discovery else []
    return "\n".join([*_remarks(summary), *lines, *found])


def _yields(summary: Summary) -> list[str]:
    """Return the table; groups without a processed event have no line."""
    rows = [("Events", f"{LOW:g} to {HIGH:g} GeV", f"{WINDOW[0]:g} to {WINDOW[1]:g} GeV")]
    if "data" in summary.yields:
        data, interval = summary.yields["data"]["all"], summary.data_intervals["all"]
        label = "Pseudo-data" if summary.note else "Data"
        rows.append((label, _format(data.total, interval.total), _format(data.window, interval.window)))
    expected = {group: channels["all"] for group, channels in summary.yields.items() if group in _LABELS}
    if expected:
        rows.append(("Expected", *_cells(Yield.sum(expected.values()))))
        rows += [(f"  {_LABELS[group]}", *_cells(value)) for group, value in expected.items()]
    return align(rows).splitlines()


def _entries(summary: Summary) -> list[str]:
    """Return the entries of each histogram, or channel, of the datasets that are in no group."""
    totals = defaultdict[str, float](int)
    for histograms in summary.unassigned.values():
        for name, entries in histograms.items():
            totals[name] += entries
    width = max(map(len, totals), default=0)
    return [
        f"{name:<{width}}  {entries if isinstance(entries, int) else f'{entries:.6g}'} entries"
        for name, entries in totals.items()
    ]


_LABELS = {"higgs": "Higgs (125 GeV)", "zz": "ZZ", "dy": "Drell-Yan", "ttbar": "ttbar"}


def _remarks(summary: Summary) -> list[str]:
    n = summary.shards
    remarks = [summary.note] if summary.note else []
    if n.done < n.expected:
        remarks.append(f"{n.done} of {n.expected} shards done, {n.failed} failed, {n.missing} missing")
    if summary.left_out:
        counted = "1 result is" if summary.left_out == 1 else f"{summary.left_out} results are"
        remarks.append(f"{counted} left out: no list of this run names their shards")
    if test := summary.work.test_mode_shards:
        remarks.append(f"{test} shard{'s' if test > 1 else ''} run in test mode: no events were read")
    if summary.absent_samples:
        remarks.append(f"No events of {', '.join(summary.absent_samples)}")
    if told := tell_certified(summary.work.checked_events, summary.work.certified_events):
        remarks.append(told)
    remarks += summary.candidates.told if summary.candidates else []
    remarks += tell_sections(summary.luminosity, summary.certified_pb)
    for branch, shards in summary.lacking.items():
        number = sum(shards.values())
        lack = f"{number} shards of {{}} lack" if number > 1 else "1 shard of {} lacks"
        names = ", ".join(list(shards)[:3]) + (f" and {len(shards) - 3} more" if len(shards) > 3 else "")
        remarks.append(f"{lack.format(names)} {branch}, which the selection uses in others")
    return remarks + [line[0].upper() + line[1:] for line in tell_beyond(summary.luminosity)]


def _format(events: float, interval: tuple[float, float]) -> str:
    return f"{events:.0f} +{interval[1] - events:.1f} −{events - interval[0]:.1f}"


def _cells(value: Yield) -> tuple[str, str]:
    return (
        f"{value.total:.2f} ± {value.total_error:.2f}",
        f"{value.window:.2f} ± {value.window_error:.2f}",
    )
