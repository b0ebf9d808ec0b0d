"""What ``sync`` refuses, and what it says where nothing is left."""

from contextlib import closing

import pytest

from models.problems import ConfigError
from runner.exits import FAILED
from runner.tracking.entries import TagsAdded
from runner.tracking.spool import SpoolWriter
from runner.verbs import sync


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tracking=off"], r"tracking: nothing is kept with tracking=off\.$"),
        (["--wait", "-1"], r"--wait: expected a number of 0 or more; received -1\.0 \(float\)"),
        (
            ["tracking.spool=/nonexist/y"],
            r"tracking\.spool: expected a folder that is there; received '/nonexist/y' \(str\)\.$",
        ),
        (["model=mlp"], r"overrides: expected what chooses a store, .*; received 'model=mlp' "),
    ],
)
def test_what_it_cannot_do_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        sync.run(arguments)


def test_a_spool_that_cannot_be_claimed_is_told_of(tmp_path, capsys):
    own = [f"tracking.{key}={tmp_path}/{key}" for key in ("database", "spool")]
    file = tmp_path / "spool" / "first.spool"
    file.parent.mkdir()
    with closing(SpoolWriter(file)) as spool:
        spool.append(TagsAdded({"a": "b"}))
    # As root writes where it is forbidden, a folder stands in the way.
    file.with_suffix(".lock").mkdir()
    assert sync.run([*own, "--wait", "0"]) == FAILED
    assert capsys.readouterr().out == (
        f"refused    a run: 1 entries wait in {file}: tracking.spool: "
        f"{file.with_suffix('.lock')} cannot be opened: Is a directory\n"
    )


def test_a_folder_without_spools_has_nothing_that_waits(tmp_path, capsys):
    own = [f"tracking.{key}={tmp_path}/{key}" for key in ("database", "spool")]
    (tmp_path / "spool").mkdir()
    assert sync.run([own[0], "--wait", "0", own[1]]) == 0
    assert capsys.readouterr().out == f"nothing waits in {tmp_path}/spool\n"
