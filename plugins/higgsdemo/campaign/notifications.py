"""Who is notified when a run has ended: Airflow's notifiers, by the path of their class.

Only the campaign's file has them, never a trigger: the file decides what is imported, and who gets which
message. Their secrets are in Airflow connections.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from higgsdemo.campaign.fields import ClassPath
from higgsdemo.campaign.problems import Problem
from higgsdemo.campaign.rule import Model, credentials


class Notifier(Model):
    """A notifier and its arguments."""

    notifier: ClassPath = Field(examples=["airflow.providers.smtp.notifications.smtp.SmtpNotifier"])
    """The class of an installed provider."""
    kwargs: dict[str, Any] = Field(
        {}, title="Arguments", examples=[{"smtp_conn_id": "smtp_default", "to": "analysis@example.org"}]
    )
    """Arguments of the class, such as a connection's id, recipients and texts. Airflow fills in templates
    such as `{{ dag_run.run_id }}`.
    """


class Notifications(Model):
    """Who is notified of a run's end."""

    on_success: list[Notifier] = Field([], examples=[[]])
    """Notifiers for a run that has succeeded."""
    on_failure: list[Notifier] = Field([], examples=[[]])
    """Notifiers for a run that has failed."""

    def credentials(self) -> Iterator[Problem]:
        """Return which arguments are secrets, which do not belong into a file."""
        for name, notifiers in (("on_success", self.on_success), ("on_failure", self.on_failure)):
            for number, notifier in enumerate(notifiers):
                path = ("notifications", name, number, "kwargs")
                for within in credentials(notifier.kwargs):
                    yield Problem((*path, *within), "is a credential, which belongs in an Airflow connection")
