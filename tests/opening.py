"""Opens the graph and the Session of a configuration."""

from collections.abc import Iterator
from contextlib import contextmanager

from runner.config import ExperimentConfig
from runner.engine.graph import ExperimentGraph, build_graph
from runner.engine.session import GraphSession, open_session


@contextmanager
def open_experiment(config: ExperimentConfig) -> Iterator[tuple[ExperimentGraph, GraphSession]]:
    """Yields the graph of `config` and an open Session on it."""
    graph = build_graph(config)
    with open_session(graph, config.session) as session:
        yield graph, session
