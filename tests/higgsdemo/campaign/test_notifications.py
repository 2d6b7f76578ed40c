"""Whom a campaign's file lets Airflow tell of a run's end."""

from collections.abc import Callable
from typing import Any

import pytest

from higgsdemo.campaign import CampaignError, apply_conf, parse_campaign

Change = Callable[[dict[str, Any]], dict[str, Any]]
Refusal = Callable[[dict[str, Any]], str]
MAIL = {
    "notifier": "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
    "kwargs": {"smtp_conn_id": "smtp_default", "to": "a@example.org", "subject": "{{ dag_run.run_id }}"},
}


def test_templates_in_the_arguments_are_left_to_airflow(changed: Change) -> None:
    campaign = parse_campaign(changed({"notifications": {"on_success": [MAIL]}}), "mine.json")
    (notifier,) = campaign.notifications.on_success
    assert notifier.model_dump() == MAIL
    again, _ = apply_conf(campaign, {"max_shards": 1})
    assert again.notifications == campaign.notifications


@pytest.mark.parametrize(
    ("notifications", "message"),
    [
        (
            {"on_success": [MAIL | {"notifier": "print('me')"}]},
            "notifications.on_success[0].notifier is \"print('me')\"; it must be the path of a class such as "
            "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
        ),
        (
            {"on_failure": [MAIL | {"kwargs": {"password": "abc"}}]},
            'notifications.on_failure[0].kwargs has "password": credentials belong in an Airflow connection',
        ),
        (
            {"on_sucess": [MAIL]},
            'notifications has no field "on_sucess"; did you mean "on_success"? '
            "(the fields are on_success, on_failure)",
        ),
    ],
)
def test_what_is_wrong_is_said(refusal: Refusal, notifications: dict[str, Any], message: str) -> None:
    assert refusal({"notifications": notifications}) == f": {message}"


def test_no_trigger_can_name_a_notifier(changed: Change) -> None:
    campaign = parse_campaign(changed({}), "mine.json")
    with pytest.raises(CampaignError, match='has no key "notifications"'):
        apply_conf(campaign, {"notifications": {"on_success": [MAIL]}})
