"""Writes rows as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence


def format_rows(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns the text of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
