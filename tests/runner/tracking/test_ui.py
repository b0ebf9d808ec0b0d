"""Where the UI is opened."""

import socket
import webbrowser
from contextlib import closing

import pytest

from models.problems import ConfigError
from runner.config import ServerTrackingConfig
from runner.tracking import ui
from runner.tracking.browser import open_when_up
from runner.tracking.view import VIEW_TAG
from tests.stores import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    store.old = store.add("old", age=100, experiment="wine")
    store.new = store.add("new", age=10)
    store.client.set_experiment_tag(store.experiment("wine"), VIEW_TAG, "{}")
    return store


@pytest.fixture
def free():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return server.getsockname()[1]


def test_the_page_is_that_of_the_run_of_the_experiment_or_of_the_newest_run(store):
    digits, wine = store.experiment("digits"), store.experiment("wine")
    end = "workflowType=machine_learning"
    find = ui.find_page
    assert find(store.client, run=None, experiment=None) == f"#/experiments/{digits}/runs?{end}"
    assert find(store.client, run=None, experiment="wine") == (
        f"#/experiments/{wine}/runs?viewStateShareKey=feedfetch&{end}"
    )
    assert find(store.client, run="old", experiment=None) == (
        f"#/experiments/{wine}/runs/{store.old}?{end}"
    )


def test_a_store_without_runs_is_opened_at_its_experiments(tmp_path):
    page = ui.find_page(Store(tmp_path).client, run=None, experiment=None)
    assert page == "#/experiments?workflowType=machine_learning"


def test_an_experiment_that_is_not_there_is_told(store):
    with pytest.raises(ConfigError) as caught:
        ui.find_page(store.client, run=None, experiment="wines")
    assert str(caught.value) == (
        "tracking.experiment: expected one that is in the store; received 'wines' (str). Did you "
        "mean 'wine'?"
    )


@pytest.fixture
def served(monkeypatch):
    """What would be served and opened."""
    served = []
    monkeypatch.setattr(ui, "_serve", lambda _, url, port: served.append((url, port)))
    monkeypatch.setattr(webbrowser, "open", served.append)
    return served


def open_ui(tracking, **given):
    given = {"run": None, "experiment": None, "port": None, "opens": True, **given}
    ui.open_ui(tracking, **given)


def test_the_next_free_port_is_taken_where_none_was_asked_for(store, served, monkeypatch, capsys):
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        taken = server.getsockname()[1]
        monkeypatch.setattr(ui, "_FIRST_PORT", taken)
        open_ui(store.tracking)
        ((url, port),) = served
        assert port > taken
        assert url is None  # since nobody sees a browser here
        assert capsys.readouterr().out.startswith(f"http://127.0.0.1:{port}/#/experiments/")
        with pytest.raises(ConfigError, match=rf"^--port: expected a free port; received {taken} "):
            open_ui(store.tracking, port=taken)


@pytest.mark.parametrize(
    ("environment", "is_terminal", "opens", "wanted"),
    [
        ({"DISPLAY": ":0"}, True, True, True),
        ({"WAYLAND_DISPLAY": "w"}, True, True, True),
        ({"DISPLAY": ":0"}, True, False, False),
        ({"DISPLAY": ":0"}, False, True, False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "x"}, True, True, False),
        ({}, True, True, False),
    ],
)
def test_a_browser_is_opened_on_a_desktop(
    store, served, free, monkeypatch, environment, is_terminal, opens, wanted
):
    monkeypatch.setattr(ui.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(ui.sys.stdout, "isatty", lambda: is_terminal)
    open_ui(store.tracking, port=free, opens=opens)
    ((url, port),) = served
    assert port == free
    assert (url is not None) is wanted


def test_a_server_is_only_opened(store, served, monkeypatch, capsys):
    server = ServerTrackingConfig("digits", None, {}, 0, uri="http://127.0.0.1:9/")
    monkeypatch.setattr(ui, "open_client", lambda _: store.client)
    monkeypatch.setattr(ui, "_has_desktop", lambda: True)
    open_ui(server, run="old")
    url = f"http://127.0.0.1:9/#/experiments/{store.experiment('wine')}/runs/{store.old}"
    assert served == [f"{url}?workflowType=machine_learning"]
    assert capsys.readouterr().out == f"{served[0]}\n"


def test_an_address_is_opened_once_its_server_answers(monkeypatch, free):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    monkeypatch.setattr("runner.tracking.browser._MOST_SECONDS", 0.2)
    monkeypatch.setattr("runner.tracking.browser._WAIT_SECONDS", 0.05)
    assert not open_when_up("http://here", "127.0.0.1", free)
    with closing(socket.create_server(("127.0.0.1", free))):
        assert open_when_up("http://here", "127.0.0.1", free)
    assert opened == ["http://here"]
