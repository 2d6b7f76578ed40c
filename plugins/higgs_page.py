"""Register the campaign page with Airflow: a tab of each DAG and DAG run, and an entry of the menu.

Every component of Airflow imports this module, so it imports nothing of ours: the api-server loads the page
with the first request for it.
"""

from asyncio import to_thread
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

PREFIX = "/higgs"
BASE = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/") + PREFIX
ICONS = {"icon": f"{BASE}/static/icon.svg", "icon_dark_mode": f"{BASE}/static/icon-dark.svg"}


async def page(scope: Any, receive: Any, send: Any) -> None:
    """Answer a request for the page (an ASGI application); others are served while its modules load."""
    module = await to_thread(import_module, "higgsdemo.page.app")
    await module.app(scope, receive, send)


VIEWS = [
    {"name": "Campaigns", "href": f"{BASE}/", "destination": "nav", "url_route": "higgs", **ICONS},
    {
        "name": "Campaign",
        "href": f"{BASE}/?dag_id={{DAG_ID}}",
        "destination": "dag",
        "url_route": "higgs-campaign",
        **ICONS,
    },
    {
        "name": "Campaign",
        "href": f"{BASE}/?dag_id={{DAG_ID}}&run_id={{RUN_ID}}",
        "destination": "dag_run",
        "url_route": "higgs-run",
        **ICONS,
    },
]
APPS = [{"name": "Campaigns", "app": page, "url_prefix": PREFIX}]


class HiggsPage(AirflowPlugin):
    """The page of a campaign: its plot, its progress, its failures."""

    name = "higgs_page"
    fastapi_apps = APPS
    external_views = VIEWS
