"""What is said of wrong arguments of verbs."""

import pytest

from models.problems import ConfigError
from runner.verbs import diff, export, runs, schema
from runner.verbs.parser import VerbParser


@pytest.mark.parametrize(
    ("verb", "arguments", "message"),
    [
        (
            runs,
            ["--srot", "test/accuracy"],
            "--srot: there is no such option. Did you mean '--sort'?",
        ),
        (
            runs,
            ["--colums=seed", "--jsn"],
            "--colums: there is no such option. Did you mean '--columns'?\n"
            "--jsn: there is no such option. Did you mean '--json'?",
        ),
        (
            schema,
            ["--xyzzy", "x"],
            "--xyzzy: there is no such option. Choose from --help, --output-dir.",
        ),
        (schema, ["x"], "x: nothing is expected here."),
        (
            diff,
            ["last"],
            "B: expected a run's id, its name, its folder or last; received nothing. See python "
            "-m runner diff --help.",
        ),
        (
            export,
            [],
            "--output: expected the file or folder to write; received nothing. See python -m "
            "runner export --help.",
        ),
        (runs, ["--limit", "x"], "--limit: invalid int value: 'x'."),
        (runs, ["--json", "--csv"], "--csv: not allowed with argument --json."),
    ],
)
def test_wrong_arguments_are_told(verb, arguments, message):
    with pytest.raises(ConfigError) as caught:
        verb.run(arguments)
    assert str(caught.value) == message


def test_options_stand_at_any_place():
    parser = VerbParser("try", "Try.")
    parser.add_argument("run")
    parser.add_argument("--flag", action="store_true")
    parser.add_argument("overrides", nargs="*")
    parsed = parser.parse_intermixed_args(["a", "--flag", "b=1"])
    assert (parsed.run, parsed.flag, parsed.overrides) == ("a", True, ["b=1"])
    assert parser.prog == "python -m runner try"
