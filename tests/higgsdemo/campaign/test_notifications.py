"""Whom a campaign's file lets Airflow tell of a run's end."""

import pytest

from campaign_changes import Change
from higgsdemo.campaign import CampaignError, apply_conf, parse_campaign

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


def test_no_trigger_can_name_a_notifier(changed: Change) -> None:
    campaign = parse_campaign(changed({}), "mine.json")
    with pytest.raises(CampaignError, match='has no key "notifications"'):
        apply_conf(campaign, {"notifications": {"on_success": [MAIL]}})
