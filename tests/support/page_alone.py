"""The page in a real browser without Airflow: its files as they are, and a state that a test makes."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import pytest
from aiohttp import web

from demo.settings import REPOSITORY
from loop_server import LoopServer

Shown = Callable[..., AbstractContextManager[Any]]
STATIC = REPOSITORY / "plugins/higgsdemo/page/static"
RUNS = [{"run_id": "r", "state": "running"}, {"run_id": "earlier", "state": "success"}]
CAMPAIGN = {"dag_id": "mine", "title": "Mine", "runs": RUNS}

FITTED = {
    "observed_significance": 3.63,
    "expected_significance": 3.68,
    "signal_strength": 0.953,
    "signal_strength_interval": [0.6, 1.384],
    "statement": None,
    "uncertainties": ["trigger"],
}
"""What summary.json says of the Higgs boson."""


class PageFiles(LoopServer):
    """Serves the page's files below the path they have in Airflow."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Send a file; the page itself has no name."""
        path = request.path.removeprefix("/higgs/").removeprefix("static/")
        return web.FileResponse(STATIC / (path or "index.html"))


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    """Show the page of a run in a state, in one browser; skip the tests where there is none."""
    with PageFiles() as files, pytest.importorskip("browser").chromium() as chromium:
        yield partial(_shown, chromium, files.url)


@contextmanager
def _shown(
    chromium: Any, address: str, state: dict[str, Any], told: dict[str, Any] | None = None, **options: Any
) -> Iterator[Any]:
    """Yield the page, in a context of `options` (viewport, color_scheme); no script of it may have failed.

    `told` are answers by path, besides those of the campaign and the run; a test may change it.
    """
    complaints: list[str] = []
    told = {} if told is None else told
    told |= {"campaign": CAMPAIGN, "run": state}
    page = chromium.new_page(**options)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.route(
        lambda url: "/api/" in url,
        lambda route: route.fulfill(
            json=told[route.request.url.partition("/api/")[2].partition("?")[0]], headers={"ETag": "one"}
        ),
    )
    page.goto(f"{address}/higgs/?dag_id=mine&run_id=r")
    yield page
    page.unroute_all(behavior="ignoreErrors")  # it may ask for something just now
    page.close()
    assert complaints == []
