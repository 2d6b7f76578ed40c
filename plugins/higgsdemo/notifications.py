"""Airflow's notifiers as a campaign's file names them: imported when a run has ended, not at every parsing.

`plan` tries them out before anything is made, so that a misspelt class fails a run at its start and does not
leave people without a word at its end.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from higgsdemo.campaign.notifications import Notifications, Notifier

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier, Context


class NotifierError(ValueError):
    """A notifier cannot be used; the message names the field of the campaign and why."""


class Notify:
    """A callback of a DAG: makes a notifier and lets it tell how the run ended.

    :param where: the field of the campaign that names it.
    """

    def __init__(self, where: str, notifier: Notifier) -> None:
        self.where = where
        self.notifier = notifier

    def __call__(self, context: Context) -> None:
        """Tell."""
        self.make()(context)

    def make(self) -> BaseNotifier:
        """Return the notifier.

        :raises NotifierError: when there is no such class, it is no notifier, or takes other arguments.
        """
        from airflow.sdk import BaseNotifier

        path = self.notifier.notifier
        module, _, name = path.rpartition(".")
        try:
            found: Any = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise NotifierError(
                f"{self.where} names {path}, which cannot be imported ({error}); is its provider installed?"
            ) from error
        if not (isinstance(found, type) and issubclass(found, BaseNotifier)):
            raise NotifierError(f"{self.where} names {path}, which is no notifier of Airflow")
        try:
            return found(**self.notifier.kwargs)
        except (TypeError, ValueError) as error:
            raise NotifierError(f"{self.where} cannot be made: {error}") from error


def on_success(notifications: Notifications) -> list[Notify]:
    """Return what a DAG calls when a run has succeeded."""
    return [
        Notify(f"notifications.on_success[{number}]", notifier)
        for number, notifier in enumerate(notifications.on_success)
    ]


def on_failure(notifications: Notifications) -> list[Notify]:
    """Return what a DAG calls when a run has failed."""
    return [
        Notify(f"notifications.on_failure[{number}]", notifier)
        for number, notifier in enumerate(notifications.on_failure)
    ]
