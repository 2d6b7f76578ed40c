"""Notifiers by the path of their class: made when they are needed, refused where they cannot be."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseNotifier

from higgsdemo.campaign.notifications import Notifications
from higgsdemo.notifications import NotifierError, callbacks
from tables import cases

told: list[str] = []


class Recorder(BaseNotifier):
    """Keeps what it is to tell."""

    template_fields = ("text",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        told.append(self.text)


def named(notifier: str, **kwargs: Any) -> Notifications:
    document = {"on_failure": [{"notifier": notifier, "kwargs": kwargs}]}
    return Notifications.model_validate(document)


def test_a_notifier_is_made_and_its_templates_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setitem(__import__("sys").modules, "recording", SimpleNamespace(Recorder=Recorder))
    notifications = named("recording.Recorder", text="{{ dag_run.run_id }} has failed")
    assert callbacks(notifications, "on_success") == []
    (notify,) = callbacks(notifications, "on_failure")
    notify({"dag_run": SimpleNamespace(run_id="run-1")})  # type: ignore[typeddict-item]
    assert told == ["run-1 has failed"]


@cases
def test_what_is_no_notifier_is_refused_by_the_field_that_names_it(
    notifier: str, kwargs: dict[str, str], message: str
) -> None:
    (notify,) = callbacks(named(notifier, **kwargs), "on_failure")
    with pytest.raises(NotifierError, match=rf"^notifications\.on_failure\[0\] {message}"):
        notify.make()
