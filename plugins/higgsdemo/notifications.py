"""Success and failure notifications: Airflow's notifiers as a campaign's file names them.

They are imported when a run ends, not at every parsing. `plan` creates them once before anything else, so
that a misspelt class fails a run at its start and does not silence its end.
"""

from importlib import import_module
from typing import Any, Literal

from airflow.sdk import BaseNotifier, Context

from higgsdemo.campaign.notifications import Notifications, Notifier


class NotifierError(ValueError):
    """A notifier cannot be used; the message names the field of the campaign and why."""


class Notify:
    """A DAG's callback: create the notifier that a campaign's field names, and let it report the end."""

    def __init__(self, where: str, notifier: Notifier) -> None:
        self.where = where
        self.notifier = notifier

    def __call__(self, context: Context) -> None:
        self.make()(context)

    def make(self) -> BaseNotifier:
        """Return the notifier; raise NotifierError for another class, or other arguments."""
        path = self.notifier.notifier
        module, _, name = path.rpartition(".")
        try:
            found: Any = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise NotifierError(
                f"{self.where} names {path}, which cannot be imported ({error}); is its provider installed?"
            ) from error
        if not (isinstance(found, type) and issubclass(found, BaseNotifier)):
            raise NotifierError(f"{self.where} names {path}, which is not an Airflow notifier")
        try:
            return found(**self.notifier.kwargs)
        except (TypeError, ValueError) as error:
            raise NotifierError(f"{self.where} cannot be made: {error}") from error


def callbacks(notifications: Notifications, event: Literal["on_success", "on_failure"]) -> list[Notify]:
    """Return the DAG's callbacks for runs that end so."""
    notifiers: list[Notifier] = getattr(notifications, event)
    return [Notify(f"notifications.{event}[{number}]", one) for number, one in enumerate(notifiers)]
