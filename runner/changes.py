"""What of a configuration differs from the defaults of the same groups."""

from collections.abc import Iterator, Mapping
from typing import Any

Leaves = dict[str, Any]


def find_changes(tree: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, str | None]:
    """Returns, by dotted path, what `defaults` have where `tree` has something else.

    Args:
        tree: A configuration; what is computed in it is compared as it is written.
        defaults: That of the same groups with nothing set.

    Returns:
        The default as YAML writes it, or None where there is none; of what `tree` does without,
        the path is there too.
    """
    ours, theirs = flatten_tree(tree), flatten_tree(defaults)
    differing = {path for path, value in ours.items() if theirs.get(path, ...) != value}
    missing = [path for path in theirs if path not in ours]
    return {
        path: format_value(theirs[path]) if path in theirs else None
        for path in (*(path for path in ours if path in differing), *missing)
    }


def flatten_tree(tree: Mapping[str, Any]) -> Leaves:
    """Returns every value of `tree` by its dotted path; a list stays whole."""
    return dict(_leaves("", tree))


def format_value(value: object) -> str:
    """Returns a value in a line, as YAML writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(format_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {format_value(one)}' for key, one in value.items())}}}"
    return str(value)


def _leaves(path: str, value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, nested in value.items():
            yield from _leaves(f"{path}.{key}" if path else str(key), nested)
    else:
        yield path, value
