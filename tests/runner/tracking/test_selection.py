"""Which overrides another command needs to find a run."""

import shlex

import pytest

from runner.command import _ui_command
from runner.secrets import learn_environment
from runner.tracking.courier import _name_sync
from runner.tracking.selection import select_store

OVERRIDES = [
    "model=mlp",
    "tracking=sqlite",
    "tracking.database=/a b.db",
    'tracking.tags={owner: "${oc.env:MY_TOKEN}"}',
    "tracking.run_name=a name",
    "tracking.report=false",
    "+tracking.spool=/s",
]
STORE = ["tracking=sqlite", "tracking.database=/a b.db", "+tracking.spool=/s"]


def test_only_what_chooses_the_store_is_selected():
    assert select_store(OVERRIDES) == STORE


def test_what_is_selected_holds_no_secrets():
    learn_environment({"SELECTION_TOKEN": "hunter-and-fox"})
    (told,) = select_store(["tracking.database=/hunter-and-fox.db"])
    assert told == "tracking.database=/${oc.env:SELECTION_TOKEN}.db"


@pytest.mark.parametrize(
    ("verb", "command"),
    [("ui", lambda: " ".join(_ui_command(OVERRIDES))), ("sync", lambda: _name_sync(OVERRIDES))],
)
def test_commands_that_name_the_store_can_be_pasted_in_a_shell(verb, command):
    assert shlex.split(command())[1:] == ["-m", "runner", verb, *STORE]
