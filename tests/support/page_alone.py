"""The page in a real browser without Airflow: its files as they are, and a state that a test makes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from browser import CHROMIUM, playwright
from demo.settings import REPOSITORY

STATIC = REPOSITORY / "plugins/higgsdemo/page/static"
CAMPAIGN = {"dag_id": "mine", "title": "Mine", "runs": [{"run_id": "r", "state": "running"}]}

FITTED = {
    "observed_significance": 3.63,
    "expected_significance": 3.68,
    "signal_strength": 0.953,
    "signal_strength_interval": [0.6, 1.384],
    "statement": None,
}
"""What summary.json says of the Higgs boson."""


class PageFiles(SimpleHTTPRequestHandler):
    """Serves the page's files below the path they have in Airflow."""

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.removeprefix("/higgs").replace("/static/", "/", 1))

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def shown(state: dict[str, Any], told: dict[str, Any] | None = None, **options: Any) -> Iterator[Any]:
    """The page of a run in that state, in a context of `options` (viewport, color_scheme).

    `told` are answers by path, besides those of the campaign and the run; a test may change it. At the end no
    script of the page may have failed.
    """
    complaints: list[str] = []
    told = {} if told is None else told
    told |= {"campaign": CAMPAIGN, "run": state}
    with served() as address, playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
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
        chromium.close()
    assert complaints == []


@contextmanager
def served() -> Iterator[str]:
    """Where the page's files are."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(PageFiles, directory=str(STATIC)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
