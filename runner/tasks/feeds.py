"""Puts what the configuration feeds in the place of the data."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.problems import ConfigError, Problem
from runner.data.examples import Examples
from runner.engine.feeds import fit_replacements
from runner.engine.graph import ExperimentGraph
from runner.feeds import FeedValue


@dataclass(frozen=True)
class Fed:
    """What a call is fed.

    Attributes:
        values: One for each feed of the step, by name.
        rows: (examples,) integers: rows of the source, or of the feeds where they are the inputs.
        labels: The examples' labels by name.
    """

    values: Mapping[str, FeedValue]
    rows: np.ndarray
    labels: Mapping[str, np.ndarray]


def replace_feeds(graph: ExperimentGraph, examples: Examples) -> Fed:
    """Returns `examples` as the step ``predict`` is fed, with the graph's own feeds in their place.

    Raises:
        ConfigError: If a value does not fit, or what is not fed is not in the data for as many
            examples.
    """
    tensors = graph.predict.feeds
    own = {name: value for name, value in graph.fed.items() if name in tensors}
    fitted, count = fit_replacements(own, tensors, len(examples))
    given = {**examples.features, **examples.labels}
    labels = {name: array[:count] for name, array in examples.labels.items()}
    rows = examples.rows[:count]
    if any(name in graph.features for name in own):
        # The data's labels are those of other examples.
        fed = {**graph.fed, **fitted}
        labels = {name: np.asarray(fed[name]) for name in labels if name in fed}
        rows = np.arange(count)
        given = {name: array for name, array in given.items() if name in graph.features}
    problems = []
    for name in tensors:
        if name not in fitted and (name not in given or len(given[name]) < count):
            there = len(given[name]) if name in given else 0
            message = f"{count} examples are fed, but the data has {there} for it; feed it too."
            problems.append(Problem(f"feeds.{name}", message))
    if problems:
        raise ConfigError(problems)
    values = {name: fitted[name] if name in fitted else given[name][:count] for name in tensors}
    return Fed(values, rows, labels)
