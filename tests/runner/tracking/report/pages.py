"""Runs that are spooled by hand, and pages as a browser reads them."""

from contextlib import closing
from html.parser import HTMLParser

from runner.config import SqliteTrackingConfig
from runner.tracking.entries import ResultLogged, RunEnded, RunStarted
from runner.tracking.report.writing import write_report
from runner.tracking.spool import SpoolWriter
from runner.tracking.tracker import Status

VOID = {"meta", "img", "br"}


def start(folder, **changed):
    tracking = SqliteTrackingConfig(
        experiment="digits", run_name=None, pictures=0, report=True, database="", artifacts=""
    )
    given = {
        "tracking": tracking,
        "name": "cnn",
        "tags": {"model": "cnn", "task": "train"},
        "params": {"seed": "7"},
        "output_dir": folder,
    }
    return RunStarted(**(given | changed))


def write(folder, started, *said, status=Status.FINISHED, error=None):
    """Returns the page of a run that said `said`, its text, and the names of its figures."""
    file = folder / "entries.spool"
    file.unlink(missing_ok=True)
    with closing(SpoolWriter(file)) as spool:
        spool.append(started)
        for one in said:
            is_entry = type(one).__module__ == "runner.tracking.entries"
            spool.append(one if is_entry else ResultLogged(one))
        spool.append(RunEnded(status, error))
    out = folder / "report"
    out.mkdir()
    page = write_report(file, out, run_id="abc123")
    figures = sorted(one.name for one in out.glob("figures/*"))
    return Page(page.read_text(encoding="utf-8")), figures


class Page(HTMLParser):
    """A page, parsed; every element is closed."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.html = html
        self.elements = []
        self.texts = []
        self._open = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1:] not in (["style"], []) and data.strip():
            self.texts.append(" ".join(data.split()))

    @property
    def text(self):
        return " ".join(self.texts)

    def find(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]
