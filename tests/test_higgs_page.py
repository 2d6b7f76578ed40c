"""The plugin is light to load, leads to the page where Airflow is, and serves it guarded."""

import subprocess
import sys
from importlib import import_module

import httpx
import pytest
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import get_user

import higgs_page

HEAVY = ("fastapi", "higgsdemo", "hist", "numpy", "obstore")


@pytest.fixture
async def client() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=higgs_page.page)
    return httpx.AsyncClient(transport=transport, base_url="http://airflow/")


def test_loading_the_plugin_imports_nothing_of_the_page() -> None:
    code = (
        "import sys, airflow.plugins_manager; before = set(sys.modules); import higgs_page; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [name for name in done.stdout.splitlines()[-1].split() if name.startswith(HEAVY)] == []


def test_dag_run_and_menu_have_a_view_each() -> None:
    views = {view["destination"]: view["href"] for view in higgs_page.HiggsPage.external_views}
    assert views == {
        "nav": "/higgs/",
        "dag": "/higgs/?dag_id={DAG_ID}",
        "dag_run": "/higgs/?dag_id={DAG_ID}&run_id={RUN_ID}",
    }
    routes = [view["url_route"] for view in higgs_page.HiggsPage.external_views]
    assert len(set(routes)) == 3


@pytest.mark.parametrize("path", ["/", "/api/campaigns", "/api/run?dag_id=a&run_id=b", "/api/file?dag_id=a"])
async def test_a_program_that_is_not_logged_in_is_refused(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()) == (401, {"detail": "Not authenticated"})


@pytest.mark.usefixtures("airflow_database")
@pytest.mark.parametrize(
    "path", ["campaign?dag_id=a", "run?dag_id=a&run_id=b", "file?dag_id=a&run_id=b&name=higgs.png"]
)
@pytest.mark.parametrize(("role", "status"), [(None, 403), ("VIEWER", 404)])
async def test_who_may_not_read_the_dag_is_refused(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, path: str, role: str | None, status: int
) -> None:
    create_auth_manager()
    user = SimpleAuthManagerUser(username="somebody", role=role)
    monkeypatch.setitem(import_module("higgsdemo.page.app").app.dependency_overrides, get_user, lambda: user)
    assert (await client.get(f"/api/{path}")).status_code == status


async def test_a_person_who_is_not_logged_in_is_led_to_the_login(client: httpx.AsyncClient) -> None:
    answer = await client.get("/?dag_id=a", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/api/v2/auth/login?next=http%3A%2F%2Fairflow%2F%3Fdag_id%3Da"


async def test_the_page_may_load_its_own_files_alone(client: httpx.AsyncClient) -> None:
    answer = await client.get("/static/page.js")
    assert answer.status_code == 200
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_no_file_outside_the_static_folder_is_served(client: httpx.AsyncClient) -> None:
    assert (await client.get("/static/..%2fapp.py")).status_code == 404
