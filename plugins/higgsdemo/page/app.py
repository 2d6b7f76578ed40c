"""What serves the page: its files, and the state of the campaigns that the user may read.

Users must be logged in to Airflow and, for a run, be allowed to read its DAG. The browser names a DAG and a
run; which folder of which bucket is read follows from the result of the run's own `plan` task.
"""

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote as quote_in_url
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.configuration import conf
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.middleware.base import RequestResponseEndpoint

from higgsdemo.page.airflow_run import AirflowRun, campaigns, read_campaign, read_run
from higgsdemo.page.follower import Followers
from higgsdemo.page.state import campaign_list, run_state
from higgsdemo.run_folder import DOWNLOADS, picture_key
from higgsdemo.storage.object_store import ObjectStore, StorageError
from higgsdemo.wording import quote

STATIC = Path(__file__).parent / "static"
BASE = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
OF_A_FILE = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
MAY_READ = Depends(requires_access_dag("GET", DagAccessEntity.XCOM))

app = FastAPI(title="Campaigns", docs_url=None, redoc_url=None, openapi_url=None)
app.mount("/static", StaticFiles(directory=STATIC), name="static")
followers = Followers()


@app.middleware("http")
async def harden(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Let the browser load only the page's own files, and run no other script."""
    response = await call_next(request)
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers.setdefault("Cache-Control", "no-cache")
    return response


@app.exception_handler(AnyHTTPException)
async def refuse(request: Request, error: AnyHTTPException) -> Response:
    """Send people who are not logged in to the login, and tell programs why they are refused."""
    if error.status_code == 401 and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(
            f"{BASE}/api/v2/auth/login?next={quote_in_url(str(request.url), safe='')}", 303
        )
    body = json.dumps({"detail": error.detail})
    return Response(body, error.status_code, headers=error.headers, media_type="application/json")


@app.get("/")
def index(user: GetUserDep) -> FileResponse:
    """Return the page; its query names the run."""
    return FileResponse(STATIC / "index.html")


@app.get("/api/campaigns")
def list_campaigns(request: Request, user: GetUserDep, session: SessionDep) -> Response:
    """Return the campaigns that the user may read, with their latest runs."""
    readable = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    return _json(request, campaign_list(campaigns(session, readable)))


@app.get("/api/campaign", dependencies=[MAY_READ])
def show_campaign(request: Request, dag_id: str, session: SessionDep) -> Response:
    """Return one campaign with its latest runs."""
    campaign = read_campaign(session, dag_id)
    if campaign is None:
        raise HTTPException(404, f"{quote(dag_id)} is no campaign")
    return _json(request, campaign_list([campaign])[0])


@app.get("/api/run", dependencies=[MAY_READ])
def show_run(request: Request, dag_id: str, run_id: str, session: SessionDep) -> Response:
    """Return the state of one run, as far as it has been read."""
    run = _find(session, dag_id, run_id)
    return _json(request, run_state(run, followers.look(run), BASE))


@app.get("/api/file", dependencies=[MAY_READ])
def show_file(dag_id: str, run_id: str, name: str, session: SessionDep) -> Response:
    """Return one of the files that a run leaves in its folder; `plot` is its picture, whatever its name."""
    run = _find(session, dag_id, run_id)
    if name == "plot" and run.assignments:
        name = picture_key(run.assignments[0].run.counted is not None, "png")
    if name not in DOWNLOADS or not run.assignments:
        raise HTTPException(
            404, f"the run has no file {quote(name)} to show; there are {', '.join(DOWNLOADS)}"
        )
    planned = run.assignments[0].run
    try:
        content = ObjectStore(planned.output, planned.output_connection).read(name)
    except StorageError as error:
        raise HTTPException(404, str(error)) from None
    headers = {
        "Content-Security-Policy": OF_A_FILE,
        "Content-Disposition": f'inline; filename="{planned.campaign}-{planned.name}-{name}"',
    }
    return Response(content, headers=headers, media_type=DOWNLOADS[name])


def _find(session: SessionDep, dag_id: str, run_id: str) -> AirflowRun:
    campaign = read_campaign(session, dag_id)
    run = campaign and read_run(session, campaign, run_id)
    if not run:
        raise HTTPException(404, f"there is no run {quote(run_id)} of a campaign {quote(dag_id)}")
    return run


def _json(request: Request, content: Any) -> Response:
    """Answer with JSON, or with 304 when the browser has it already."""
    body = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    if request.headers.get("if-none-match", "").removeprefix("W/") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, headers={"ETag": tag}, media_type="application/json")
