"""README's pictures, taken anew: `make pictures`.

They show a run of the demo in a real Airflow, as a browser does.
"""

import shutil
import tempfile
from pathlib import Path

from browser import Browser, browser_for
from demo.settings import REPOSITORY
from demo_stack import DAG, Stack, eventually

PICTURES = REPOSITORY / "docs" / "images"
RUN = "keynote"


def main() -> None:
    """Start the services, and leave the pictures in `docs/images`."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "pictures" / ".run")
        try:
            with browser_for(stack.settings) as browser:
                take(stack, browser)
        finally:
            stack.stop()


def take(stack: Stack, browser: Browser) -> None:
    """Picture a run while it goes on, and once it has ended."""
    with browser.page(viewport={"width": 1440, "height": 1000}) as watched:
        stack.trigger(RUN)
        watched.page.goto(f"/dags/{DAG}/runs/{RUN}/plugin/higgs-run")
        done = watched.page.frame_locator("iframe[title=Campaign]").locator("#figures dd").first
        eventually(lambda: _shards(done.inner_text()) > 50, "two thirds of the shards are done")
        watched.page.screenshot(path=PICTURES / "page-in-airflow.png")
    assert stack.finish(RUN) == "success"
    with browser.page(viewport={"width": 1280, "height": 1000}, color_scheme="dark") as watched:
        watched.page.goto(f"/higgs/?dag_id={DAG}&run_id={RUN}")
        watched.page.get_by_text("76 of 76").first.wait_for()
        watched.page.get_by_role("region", name="Significance of the Higgs boson").wait_for()
        watched.page.screenshot(path=PICTURES / "page-dark.png")
    shutil.copy(stack.settings.results / DAG / RUN / "higgs.png", PICTURES / "plot.png")


def _shards(done: str) -> int:
    first = done.partition(" ")[0]
    return int(first) if first.isdigit() else 0


if __name__ == "__main__":
    main()
