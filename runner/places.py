"""Finds the file and line, or the override, that a value of the composed configuration came from.

Hydra says which files it merged, in what order and to what place; YAML's own marks give the lines.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode

from models.problems import Problem
from runner.paths import show_path

# The files of conf/ that a command on top of a run is composed with: copies that are gone when the
# command has ended.
_INHERITED = {
    "from_run": "as in the run that from_run names",
    "rerun": "as in the run that is repeated",
}
_INDEX = re.compile(r"\[(\d+)\]")


def locate_problems(
    problems: Sequence[Problem], overrides: Sequence[str], main: str = "config"
) -> list[list[str]]:
    """Returns for each problem where it was written, such as ``conf/model/cnn.yaml:9``.

    Of a value that refers to another it shows that too: ``... cnn.yaml:18 (${data.classes})``.

    Call it where Hydra is initialized. A problem has several places where overrides change part of
    what a file declares, and none where no place can be found.

    Args:
        problems: Problems of the configuration that Hydra composed.
        overrides: What it was composed with.
        main: The file of conf/ that it was composed from.
    """
    lines = _read_lines(overrides, main)
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    given = {
        path: f"command line: {text}"
        for override, text in zip(parsed, overrides, strict=True)
        for path in _paths_of(override.key_or_group, override.value())
    }
    return [_locate(problem, lines, given) for problem in problems]


def format_problems(
    problems: Sequence[Problem], overrides: Sequence[str], main: str = "config"
) -> str:
    """Returns the report that a person reads: each problem, where it was written, its notes."""
    lines = []
    for problem, places in zip(problems, locate_problems(problems, overrides, main), strict=True):
        lines += [str(problem), *(f"    {note}" for note in (*places, *problem.notes))]
    return "\n".join(lines)


def _locate(problem: Problem, lines: Mapping[str, str], overrides: Mapping[str, str]) -> list[str]:
    path = _INDEX.sub(r".\1", problem.path)
    if path in overrides:
        return [overrides[path]]
    within = {key: place for key, place in overrides.items() if key.startswith(f"{path}.")}
    for key, place in within.items():
        # A wrong argument is reported at its layer, and named in the message.
        if repr(key.removeprefix(f"{path}.")) in problem.message:
            return [place]
    if path in lines or within:
        written = [lines[path]] if path in lines else []
        return [*written, *dict.fromkeys(within.values())]
    while path:
        path = path.rpartition(".")[0]
        if path in overrides:
            return [overrides[path]]
        if path in lines:
            return [lines[path]]
    return []


def _paths_of(path: str, value: object) -> Iterator[str]:
    """Yields the place of an override's value, and of each key of a mapping."""
    yield path
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _paths_of(f"{path}.{key}", item)


def _read_lines(overrides: Sequence[str], main: str) -> dict[str, str]:
    """Returns the file and line of every key of the composed configuration."""
    loader = GlobalHydra.instance().config_loader()
    defaults = loader.compute_defaults_list(main, list(overrides), RunMode.RUN)
    added = list(_added_folders(overrides))
    found = [item.path for item in loader.get_search_path().get_path() if item.path]
    folders = [
        Path(folder.removeprefix("file://"))
        for folder in (*found, *added)
        if folder.startswith(("file://", "/"))
    ]
    lines: dict[str, str] = {}
    for default in defaults.defaults:
        file = _find_file(folders, f"{default.config_path}.yaml")
        if file is not None:
            package = default.package or ""
            lines |= dict(_read_file(file, "" if package == "_global_" else package))
    return lines


def _added_folders(overrides: Sequence[str]) -> Iterator[str]:
    """Yields the folders that ``--config-dir`` or ``hydra.searchpath`` adds to conf/."""
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        value = override.value()
        if override.key_or_group == "hydra.searchpath" and isinstance(value, list):
            yield from map(str, value)


def _find_file(folders: Sequence[Path], name: str) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _read_file(file: Path, package: str) -> Iterator[tuple[str, str]]:
    with file.open(encoding="utf-8") as text:
        root = yaml.compose(text)
    for path, line, value in _walk(root, package):
        if file.stem in _INHERITED:
            yield path, _INHERITED[file.stem]
        else:
            refers = isinstance(value, yaml.ScalarNode) and "${" in value.value
            yield path, f"{show_path(file)}:{line}{f' ({value.value})' if refers else ''}"


def _walk(node: yaml.Node | None, path: str) -> Iterator[tuple[str, int, yaml.Node]]:
    """Yields the place, the line and the value of all that is declared."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = f"{path}.{key.value}" if path else str(key.value)
            yield place, key.start_mark.line + 1, value
            yield from _walk(value, place)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield f"{path}.{index}", item.start_mark.line + 1, item
            yield from _walk(item, f"{path}.{index}")
