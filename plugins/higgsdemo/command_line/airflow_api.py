"""Airflow's public REST API, and the one that the campaigns' page adds: trigger a DAG, follow its run."""

from datetime import datetime
from typing import Any

import httpx

from higgsdemo.command_line.ending import AWAY, REFUSED, CommandError

FINISHED = frozenset({"success", "failed"})
"""The states in which a DAG run ends."""

_PAGE = 100


class AirflowError(CommandError):
    """Airflow refuses a request; the message says which and why."""

    code = REFUSED


class AirflowAwayError(AirflowError):
    """Airflow does not answer now: it is starting, or was killed and is being restarted."""

    code = AWAY


class _Answer(dict[str, Any]):
    """A JSON object of an answer, which lacks what only a later version of the plugin tells."""

    def __missing__(self, key: str) -> Any:
        raise AirflowError(
            f"Airflow's answer has no {key}: its plugin is of another version than this command"
        )


class Airflow:
    """A session with one Airflow, as one user; raises AirflowAwayError when it does not answer.

    :param token: of a login made elsewhere, instead of a user and a password.
    """

    def __init__(self, url: str, user: str, password: str, token: str | None = None) -> None:
        self.url = url
        self._user = user
        self._password = password
        here = url.startswith(("http://127.0.0.1:", "http://localhost:"))  # which no proxy reaches
        self._client = httpx.Client(base_url=url, timeout=20, trust_env=not here)
        if token:
            self._client.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        self._client.close()

    def health(self) -> dict[str, str | None]:
        """Return the state of each component, "healthy" or not."""
        return {name: component["status"] for name, component in self._get("/api/v2/monitor/health").items()}

    def has_dag(self, dag_id: str) -> bool:
        """Return whether the DAG has been parsed."""
        return self.is_paused(dag_id) is not None

    def is_paused(self, dag_id: str) -> bool | None:
        """Return whether the runs of a DAG wait until somebody switches it on; None for no DAG."""
        answer = self._request("GET", f"/api/v2/dags/{dag_id}", allowed=(404,))
        return None if answer.status_code == 404 else bool(self._read(answer)["is_paused"])

    def import_errors(self, since: datetime) -> dict[str, str]:
        """Return the error of each DAG file that Airflow has failed to load since a time."""
        query = {"order_by": "-timestamp", "limit": _PAGE}
        found = self._get("/api/v2/importErrors", query=query)["import_errors"]
        return {
            error["filename"]: error["stack_trace"]
            for error in found
            if datetime.fromisoformat(error["timestamp"]) >= since
        }

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
        """Start a run. If the run id exists, an earlier attempt made it whose answer was lost."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        self._request("POST", f"/api/v2/dags/{dag_id}/dagRuns", body=body, allowed=(409,))

    def active_runs(self, before: datetime) -> list[tuple[str, str]]:
        """Return DAG and run id of each run, of any DAG, from before that time that has not ended."""
        query = {"state": ["queued", "running"], "run_after_lt": before.isoformat(), "limit": _PAGE}
        found = self._get("/api/v2/dags/~/dagRuns", query=query)["dag_runs"]
        return [(run["dag_id"], run["dag_run_id"]) for run in found]

    def fail(self, dag_id: str, run_id: str) -> None:
        """End a run and its tasks as failed."""
        self._request("PATCH", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}", body={"state": "failed"})

    def conf(self, dag_id: str, run_id: str) -> dict[str, Any]:
        return dict(self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["conf"] or {})

    def campaigns(self) -> list[dict[str, Any]]:
        """Return all campaigns with their latest runs, newest first."""
        found: list[dict[str, Any]] = self._get("/higgs/api/campaigns")
        return found

    def campaign(self, dag_id: str) -> dict[str, Any]:
        """Return a campaign and its latest runs, newest first, as its page shows them."""
        found: dict[str, Any] = self._get("/higgs/api/campaign", query={"dag_id": dag_id})
        return found

    def campaign_run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return the state of a run as its page shows it."""
        query = {"dag_id": dag_id, "run_id": run_id}
        found: dict[str, Any] = self._get("/higgs/api/run", query=query)
        return found

    def file(self, dag_id: str, run_id: str, name: str) -> bytes:
        query = {"dag_id": dag_id, "run_id": run_id, "name": name}
        return self._request("GET", "/higgs/api/file", query=query).content

    def _get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        return self._read(self._request("GET", path, query))

    def _read(self, answer: httpx.Response) -> Any:
        try:
            return answer.json(object_hook=_Answer)
        except ValueError:
            path = answer.request.url.path
            raise AirflowError(f"{self.url} answers {path} with something else than JSON") from None

    def _request(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
        allowed: tuple[int, ...] = (),
    ) -> httpx.Response:
        try:
            if "Authorization" not in self._client.headers:
                self._log_in()
            answer = self._send(method, path, params=query, json=body)
            if answer.status_code == 401 and self._user:
                self._log_in()
                answer = self._send(method, path, params=query, json=body)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            example = "http://127.0.0.1:8080"
            raise AirflowError(f"{self.url} is no address of an Airflow, such as {example}") from None
        except httpx.HTTPError as error:
            raise AirflowAwayError(f"Airflow at {self.url} does not answer: {error}") from error
        if answer.is_error and answer.status_code not in allowed:
            raise AirflowError(f"Airflow refuses {method} {path}: {_reason(answer)}")
        return answer

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        answer = self._client.request(method, path, **content)
        if answer.is_server_error:
            raise AirflowAwayError(f"Airflow at {self.url} answers {answer.status_code} to {method} {path}")
        if answer.has_redirect_location:
            there = answer.headers["Location"]
            raise AirflowError(f"{self.url} sends {path} on to {there}: give the address that it leads to")
        return answer

    def _log_in(self) -> None:
        credentials = {"username": self._user, "password": self._password}
        answer = self._send("POST", "/auth/token", json=credentials)
        if answer.status_code in (401, 403, 422):
            raise AirflowError(
                f"Airflow at {self.url} does not know the user {self._user}: {_reason(answer)}"
            )
        try:
            token = answer.json()["access_token"]
        except (ValueError, KeyError, TypeError):
            raise AirflowError(
                f"there is no Airflow 3 at {self.url}: /auth/token answers {answer.status_code}"
            ) from None
        self._client.headers["Authorization"] = f"Bearer {token}"


def _reason(answer: httpx.Response) -> str:
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = answer.text
    why, _, _ = str(detail).partition("\n\nFailed validating")  # a screen of JSON Schema follows
    return f"{answer.status_code} {why}"
