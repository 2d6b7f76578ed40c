"""Whom a campaign's file lets Airflow tell of a run's end."""

from campaign_changes import Change
from higgsdemo.campaign import apply_conf, parse_campaign

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
