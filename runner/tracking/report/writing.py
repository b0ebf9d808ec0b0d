"""Writes the page and the figures of a run."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from runner.tracking.entries import RunEnded
from runner.tracking.report.figures import draw_figures
from runner.tracking.report.page import format_page
from runner.tracking.report.record import read_record

if TYPE_CHECKING:
    from runner.tracking.pictures.charts import Chart

PAGE = "report.html"
FIGURES = "figures"


def write_report(
    spool_file: Path,
    folder: Path,
    *,
    run_id: str | None = None,
    end: RunEnded | None = None,
    time_ms: int = 0,
    drawn: Mapping[str, "Chart"] = MappingProxyType({}),
) -> Path:
    """Writes ``report.html`` and ``figures/`` of a run to `folder`, and returns the page.

    Args:
        spool_file: All that the run has said, from its start.
        folder: An empty folder.
        run_id: The run's id in its store.
        end: How it ended, where the spool does not tell.
        time_ms: When it did, in milliseconds since 1970.
        drawn: The timelines of traced steps that are drawn already, by the step's name.

    Raises:
        OSError: If the spool cannot be read, or a file cannot be written.
        SpoolError: If the spool is damaged.
        ValueError: If no run starts in it.
        jinja2.TemplateError: If what the run said cannot be laid out.
    """
    record = read_record(spool_file, end, time_ms)
    record.run_id = run_id
    figures = draw_figures(record, drawn)
    page = folder / PAGE
    page.write_text(format_page(record, figures), encoding="utf-8")
    charts = [chart for part in figures.values() for chart in part]
    if charts:
        (folder / FIGURES).mkdir()
    for chart in charts:
        (folder / FIGURES / f"{chart.name}.png").write_bytes(chart.png)
    return page
