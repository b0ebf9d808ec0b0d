"""Shows all of a run on a page."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text
from rich.tree import Tree

from runner.console import format_bytes, print_table
from runner.data_tables import open_table
from runner.paths import show_path
from runner.review.cells import style_status
from runner.review.differences import read_source
from runner.review.json_text import format_json
from runner.review.runs import describe_run
from runner.tracking.pages import Artifact, RunPage
from runner.tracking.records import InputRecord, RunRecord
from runner.tracking.times import format_age, format_duration

_DESCRIPTION = "mlflow.note.content"
_COMMIT = "mlflow.source.git.commit"
_MLFLOW = "mlflow."
# Shown in their own places.
_OWN_TAGS = ("folder", "overrides")
_MOST_FILES = 20
_MOST_JOBS = 20
_WIDTH = 12
_MOST_TAG_LETTERS = 200


def print_page(
    page: RunPage, *, with_params: bool, now_ms: int, console: Console | None = None
) -> None:
    """Writes what `page` holds, from the run's name to its files.

    Args:
        page: All of a run.
        with_params: Whether all params are shown.
        now_ms: The time, in milliseconds since 1970, from which ages are counted.
        console: Where to write; standard output if None.
    """
    console = console or Console()
    _print_head(console, page, now_ms)
    _print_description(console, page.run)
    _print_metrics(console, page)
    if with_params:
        _print_pairs(console, "params", page.run.params)
    _print_inputs(console, page.run.inputs)
    tags = {
        key: value
        for key, value in page.run.tags.items()
        if not key.startswith(_MLFLOW) and key not in _OWN_TAGS
    }
    _print_pairs(console, "tags", tags)
    _print_jobs(console, page.jobs)
    _print_artifacts(console, page)


def format_page_json(page: RunPage) -> str:
    """Returns what `page` holds as JSON."""
    return format_json(
        {
            **describe_run(page.run),
            "best": {name: asdict(best) for name, best in page.best.items()},
            "error": page.error,
            "inputs": [
                {**asdict(one), "source": read_source(one), "profile": _read_profile(one)}
                for one in page.run.inputs
            ],
            "models": [asdict(model) for model in page.models],
            "artifacts": [asdict(artifact) for artifact in page.artifacts],
            "artifact_uri": page.run.artifact_uri,
            "jobs": [job.run_id for job in page.jobs],
            "folder": None if page.folder is None else str(page.folder),
            "spool": None if page.spool is None else str(page.spool),
        }
    )


def _print_head(console: Console, page: RunPage, now_ms: int) -> None:
    run = page.run
    console.print(Text(run.name, style="bold"), soft_wrap=True)
    status = style_status(run.status)
    if page.error:
        status.append(f"  {page.error}", style="default")
    _print_line(console, "run", Text(run.run_id))
    _print_line(console, "experiment", Text(run.experiment))
    _print_line(console, "status", status)
    _print_line(console, "started", Text(_describe_times(run, now_ms)))
    if run.tags.get("overrides"):
        _print_line(console, "overrides", Text(run.tags["overrides"]))
    if _COMMIT in run.tags:
        is_dirty = run.tags.get("git.dirty") == "true"
        _print_line(
            console, "commit", Text(run.tags[_COMMIT] + (" with changes" if is_dirty else ""))
        )
    if page.parent is not None:
        sweep = f"{page.parent.short_id}  {page.parent.name}"
        _print_line(console, "sweep", Text(sweep))
    for model in page.models:
        registered = "".join(f", registered as {version}" for version in model.versions)
        _print_line(console, "model", Text(f"{model.model_id}  {model.name}{registered}"))
    if page.folder is not None:
        gone = "" if page.folder.is_dir() else "  (gone, or on another machine)"
        _print_line(console, "folder", Text(f"{show_path(page.folder)}{gone}"))
    if page.spool is not None:
        what = "is of a run that goes on" if page.is_going_on else "waits for the store"
        _print_line(console, "spool", Text(f"{show_path(page.spool)} {what}"))


def _print_line(console: Console, key: str, value: Text) -> None:
    line = Text.assemble((f"{key:{_WIDTH}}", "dim"), value)
    console.print(line, soft_wrap=True)


def _describe_times(run: RunRecord, now_ms: int) -> str:
    started = datetime.fromtimestamp(run.start_ms / 1000).astimezone()
    took = "" if run.seconds is None else f", took {format_duration(run.seconds)}"
    return f"{started:%Y-%m-%d %H:%M:%S %z}, {format_age(now_ms - run.start_ms)} ago{took}"


def _print_description(console: Console, run: RunRecord) -> None:
    text = run.tags.get(_DESCRIPTION)
    if not text:
        return
    console.print()
    if console.is_terminal:
        console.print(Markdown(text))
    else:
        console.print(text, soft_wrap=True, markup=False, highlight=False)


def _print_metrics(console: Console, page: RunPage) -> None:
    if not page.run.metrics:
        return
    table = open_table(["metric"], ["last", "best", "at step"])
    for name in sorted(page.run.metrics, key=_rank_metric):
        best = page.best.get(name)
        shown = ("", "") if best is None else (_format(best.value), str(best.step))
        table.add_row(Text(name), _format(page.run.metrics[name]), *shown)
    console.print()
    print_table(console, table)


def _format(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() else f"{value:.4g}"


def _rank_metric(name: str) -> tuple[int, str]:
    """Returns the place of a metric: the test's, then what was measured in epochs, then others."""
    kinds = ("test/", "validation/", "train/")
    place = next((i for i, kind in enumerate(kinds) if name.startswith(kind)), len(kinds))
    return place, name


def _print_pairs(console: Console, title: str, pairs: Mapping[str, str]) -> None:
    if not pairs:
        return
    table = open_table([title, ""], [])
    for key, value in sorted(pairs.items()):
        shown = value if len(value) <= _MOST_TAG_LETTERS else f"{value[:_MOST_TAG_LETTERS]}…"
        table.add_row(Text(key), Text(shown))
    console.print()
    print_table(console, table)


def _print_inputs(console: Console, inputs: Sequence[InputRecord]) -> None:
    if not inputs:
        return
    table = open_table(["data", "name", "source", "digest"], ["rows"])
    for one in inputs:
        rows = _read_profile(one).get("num_rows", "")
        cells = (one.split, one.name, read_source(one), one.digest, str(rows))
        table.add_row(*map(Text, cells))
    console.print()
    print_table(console, table)


def _read_profile(record: InputRecord) -> dict[str, Any]:
    profile: dict[str, Any] = json.loads(record.profile or "{}")
    return profile


def _print_jobs(console: Console, jobs: Sequence[RunRecord]) -> None:
    if not jobs:
        return
    table = open_table(["job", "status", "name"], [])
    for job in jobs[:_MOST_JOBS]:
        table.add_row(job.short_id, style_status(job.status), Text(job.name))
    console.print()
    print_table(console, table)
    if len(jobs) > _MOST_JOBS:
        console.print(f"and {len(jobs) - _MOST_JOBS} more", style="dim", highlight=False)


def _print_artifacts(console: Console, page: RunPage) -> None:
    console.print()
    sizes = sum(artifact.bytes or 0 for artifact in page.artifacts)
    count = f"{len(page.artifacts)} file{'' if len(page.artifacts) == 1 else 's'}"
    title = Text(f"{count}, {format_bytes(sizes)}, in {page.run.artifact_uri}")
    console.print(title, soft_wrap=True)
    tree = Tree("", guide_style="dim", hide_root=True)
    folders: dict[PurePosixPath, Tree] = {PurePosixPath("."): tree}
    for folder, files in _group(page.artifacts):
        node = _open_folder(folders, folder)
        for artifact in files[:_MOST_FILES]:
            size = "" if artifact.bytes is None else f"  {format_bytes(artifact.bytes)}"
            name = PurePosixPath(artifact.path).name
            node.add(Text.assemble(name, (size, "dim")))
        if len(files) > _MOST_FILES:
            node.add(Text(f"and {len(files) - _MOST_FILES} more", style="dim"))
    console.print(tree, soft_wrap=True, markup=False, highlight=False)


def _group(artifacts: Sequence[Artifact]) -> Iterator[tuple[PurePosixPath, list[Artifact]]]:
    """Yields the folders of `artifacts` with the files that lie in each, those of the root last."""
    groups: dict[PurePosixPath, list[Artifact]] = {}
    for artifact in artifacts:
        groups.setdefault(PurePosixPath(artifact.path).parent, []).append(artifact)
    yield from sorted(groups.items(), key=lambda group: (group[0] == PurePosixPath("."), group[0]))


def _open_folder(folders: dict[PurePosixPath, Tree], folder: PurePosixPath) -> Tree:
    if folder not in folders:
        folders[folder] = _open_folder(folders, folder.parent).add(Text(f"{folder.name}/"))
    return folders[folder]
