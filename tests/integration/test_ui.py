"""The MLflow UI in a real browser, as it shows a run and a sweep."""

import json
import re
import shutil
import socket
from contextlib import closing
from urllib.parse import quote, urlencode

import pytest

from tests.integration.test_command_line import TIMEOUT_SECONDS, Project, fetch_when_up

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, of the extra dev")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium, Debian's package chromium"),
]

WAIT_MS = 60_000
# What keeps it from asking for anything that is not on this machine.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A store with the main job, shortened, and a sweep."""
    project = Project(tmp_path_factory.mktemp("ui"))
    for arguments in (
        ["task.epochs=8"],
        ["-m", "model=mlp", "optimizer.learning_rate=1e-3,1e-2", "task.epochs=3"],
    ):
        finished = project.run(*arguments)
        assert finished.returncode == 0, finished.stderr
    return project


@pytest.fixture(scope="module")
def server(project):
    """The address of `python -m runner ui` on that store."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = str(free.getsockname()[1])
    process = project.start("ui", "--no-open", "--port", port)
    try:
        process.stdout.readline()
        address = f"http://127.0.0.1:{port}"
        fetch_when_up(f"{address}/api/2.0/mlflow/experiments/get?experiment_id=0")
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT_SECONDS)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.set_default_timeout(WAIT_MS)
    yield page
    page.close()


@pytest.fixture(scope="module")
def runs(project):
    """The runs by their names."""
    return {run.info.run_name: run for run in project.runs()}


def format_list(names):
    return json.dumps(list(names), separators=(",", ":"))


def open_page(page, server, path, **query):
    query = urlencode({**query, "workflowType": "machine_learning"}, quote_via=quote)
    page.goto(f"{server}/#/{path}?{query}")


def test_runs_are_listed_by_name_with_what_they_measured_and_varied(page, server, runs):
    run = runs["cnn task.epochs=8"]
    experiment = run.info.experiment_id
    open_page(page, server, f"experiments/{experiment}/runs", viewStateShareKey="feedfetch")
    page.get_by_role("link", name="cnn task.epochs=8").wait_for()
    page.get_by_role("link", name="optimizer.learning_rate=1e-3,1e-2").wait_for()
    for column in ("test/accuracy", "test/loss", "task.epochs"):
        page.get_by_role("columnheader", name=column).first.wait_for()
    shown = page.locator(".ag-root").inner_text()
    assert str(run.data.metrics["test/accuracy"]) in shown


def test_a_run_shows_its_metrics_params_and_data(page, server, runs):
    run = runs["cnn task.epochs=8"]
    open_page(page, server, f"experiments/{run.info.experiment_id}/runs/{run.info.run_id}")
    page.get_by_role("heading", name="cnn task.epochs=8").wait_for()
    page.get_by_text("model.layers.conv1.filters").wait_for()
    page.get_by_role("heading", name="Differs from the defaults").wait_for()
    shown = page.inner_text("body")
    assert str(run.data.metrics["test/accuracy"]) in shown
    assert re.search(r"digits \([0-9a-f]{16}\) Train", " ".join(shown.split()))
    assert "Finished" in shown
    page.get_by_role("link", name="model", exact=True).first.wait_for()


def test_the_report_of_a_run_is_shown_in_place(page, server, runs):
    run = runs["cnn task.epochs=8"]
    path = f"experiments/{run.info.experiment_id}/runs/{run.info.run_id}/artifacts/report.html"
    open_page(page, server, path)
    report = page.frame_locator("iframe")
    report.get_by_role("heading", name="Learning").wait_for()
    report.get_by_role("heading", name="Layers").wait_for()
    assert f"{run.data.metrics['test/accuracy']:.4g}" in report.locator("body").inner_text()
    assert report.locator("svg").count() > 1


def test_the_metrics_of_a_run_are_drawn(page, server, runs):
    run = runs["cnn task.epochs=8"]
    path = f"experiments/{run.info.experiment_id}/runs/{run.info.run_id}/model-metrics"
    open_page(page, server, path)
    section = page.get_by_test_id("experiment-view-compare-runs-section-header").filter(
        has_text=re.compile("^validation")
    )
    section.scroll_into_view_if_needed()
    page.locator(".js-plotly-plot .scatterlayer path").first.wait_for()


def test_runs_are_compared_by_what_differs(page, server, runs):
    pair = [runs[f"mlp optimizer.learning_rate={rate} task.epochs=3"] for rate in ("0.001", "0.01")]
    open_page(
        page,
        server,
        "compare-runs",
        runs=format_list(run.info.run_id for run in pair),
        experiments=format_list([pair[0].info.experiment_id]),
    )
    page.get_by_text("Comparing 2 Runs").wait_for()
    page.get_by_role("switch").first.click()
    rows = page.locator("table").nth(1).inner_text()
    assert "optimizer.learning_rate" in rows
    assert "0.001" in rows
    assert "data.batch_size" not in rows
