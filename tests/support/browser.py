"""A headless Chromium that is logged in to Airflow and notes what a good page never does."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from demo.settings import USER, Settings

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OF_THE_FRAME = "An iframe which has both allow-scripts and allow-same-origin"
"""What Chromium says of the frame that Airflow shows every plugin in."""


@dataclass
class Watched:
    """A page, with what its console complained of and what it asked other hosts for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


class Browser:
    """Chromium for one Airflow. Contexts are apart: a login in one of them is none in another."""

    def __init__(self, chromium: Any, settings: Settings) -> None:
        self._chromium = chromium
        self._settings = settings
        self._login: Any = None

    @contextmanager
    def page(self, logged_in: bool = True, **options: Any) -> Iterator[Watched]:
        """Yield a new page of `options` (viewport, color_scheme)."""
        if logged_in and self._login is None:
            self._login = self._log_in()
        context = self._chromium.new_context(
            base_url=self._settings.ui_url, storage_state=self._login if logged_in else None, **options
        )
        watched = Watched(context.new_page())
        watched.page.set_default_timeout(300_000)
        watched.page.on("console", lambda message: _note(watched, message))
        watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        watched.page.on("request", lambda request: self._see(watched, request.url))
        try:
            yield watched
        finally:
            context.close()

    def sign_in(self, page: Any) -> None:
        """Fill in Airflow's login form, which the page has been led to."""
        page.locator("input[name=username]").fill(USER)
        page.locator("input[name=password]").fill(self._settings.secrets.ui_password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "login" not in url)

    def _log_in(self) -> Any:
        with self.page(logged_in=False) as watched:
            watched.page.goto("/higgs/")
            self.sign_in(watched.page)
            return watched.page.context.storage_state()

    def _see(self, watched: Watched, url: str) -> None:
        watched.requests.append(url)
        own = urlsplit(self._settings.ui_url).netloc
        if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).netloc != own:
            watched.strangers.append(url)


def _note(watched: Watched, message: Any) -> None:
    if message.type in ("error", "warning") and not message.text.startswith(OF_THE_FRAME):
        watched.complaints.append(message.text)


@contextmanager
def chromium() -> Iterator[Any]:
    """Yield a Chromium; skips the test where there is none."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: install Debian's package chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def browser_for(settings: Settings) -> Iterator[Browser]:
    """Yield a browser for the Airflow of those settings."""
    with chromium() as started:
        yield Browser(started, settings)
