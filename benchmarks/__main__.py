"""Prints a table for each question; `make bench`."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import forward, job, memory, starting, tracking, training
from benchmarks.load import watch_load
from benchmarks.work import MODELS

_PROCESS_ROUNDS = 3
_START_ROUNDS = 5


@dataclass
class Answers:
    """What is asked, and what was measured that a chart is drawn of."""

    models: list[str] | None
    batch_sizes: list[int] | None
    rounds: int | None
    outage_seconds: float = 60.0
    trainings: list[training.Training] = field(default_factory=list)
    forwards: list[forward.Forward] = field(default_factory=list)

    def train(self) -> Iterator[str]:
        """Yields the table of training steps."""
        rounds = self.rounds or 5
        sizes = self.batch_sizes or training.BATCH_SIZES
        self.trainings = list(training.measure(self.models or MODELS, sizes, rounds))
        yield from training.format_training(self.trainings, rounds)

    def call(self) -> Iterator[str]:
        """Yields the table of forward calls."""
        rounds = self.rounds or 7
        sizes = self.batch_sizes or forward.BATCH_SIZES
        self.forwards = list(forward.measure(self.models or forward.MODELS, sizes, rounds))
        yield from forward.format_forward(self.forwards, rounds)

    def start(self) -> Iterator[str]:
        """Yields the table of starting processes."""
        return starting.measure(self.rounds or _START_ROUNDS)

    def job(self) -> Iterator[str]:
        """Yields the table of the default job."""
        return job.measure(self.rounds or _PROCESS_ROUNDS)

    def track(self) -> Iterator[str]:
        """Yields the table of tracking."""
        return tracking.measure(self.models or tracking.MODELS, self.rounds or _PROCESS_ROUNDS)

    def lose(self) -> Iterator[str]:
        """Yields the table of training while the server is away."""
        # This imports MLflow.
        from benchmarks import outages

        rounds = self.rounds or _PROCESS_ROUNDS
        return outages.measure(self.models or outages.MODELS, rounds, self.outage_seconds)

    def remember(self) -> Iterator[str]:
        """Yields the line on memory."""
        return memory.measure()

    def load(self) -> Iterator[str]:
        """Yields the table of loading pictures."""
        from benchmarks import loading

        return loading.measure(self.rounds or _PROCESS_ROUNDS)

    def stream(self) -> Iterator[str]:
        """Yields the table of memory while far more is read than it holds."""
        from benchmarks import streaming

        return streaming.measure()

    def build(self) -> Iterator[str]:
        """Yields the line on building a deep stack."""
        from runner.engine.startup import import_tensorflow

        import_tensorflow(log_level=3)
        from benchmarks import building

        yield from building.main()

    def validate(self) -> Iterator[str]:
        """Yields the line on checking the zoo."""
        from benchmarks import validating

        yield from validating.main()


QUESTIONS: Mapping[str, Callable[[Answers], Iterator[str]]] = {
    "training": Answers.train,
    "forward": Answers.call,
    "starting": Answers.start,
    "job": Answers.job,
    "tracking": Answers.track,
    "outages": Answers.lose,
    "memory": Answers.remember,
    "loading": Answers.load,
    "streaming": Answers.stream,
    "validating": Answers.validate,
    "building": Answers.build,
}


def main() -> None:
    """Measures what the command line asks for, and prints a table as soon as it is there."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Time Feedfetch beside its peers."
    )
    parser.add_argument(
        "questions", nargs="*", metavar="question", help=f"of {', '.join(QUESTIONS)}; default: all"
    )
    parser.add_argument("--models", nargs="+", choices=MODELS)
    parser.add_argument("--batch-sizes", nargs="+", type=int)
    parser.add_argument("--rounds", type=int, help="how often each side takes its turn")
    parser.add_argument(
        "--outage-seconds", type=float, default=60.0, help="how long a server is away"
    )
    parser.add_argument("--chart", type=Path, help="the .png to draw training and forward into")
    asked = parser.parse_args()
    unknown = [one for one in asked.questions if one not in QUESTIONS]
    if unknown:
        parser.error(f"unknown question {unknown[0]!r}; expected of {', '.join(QUESTIONS)}")
    answers = Answers(asked.models, asked.batch_sizes, asked.rounds, asked.outage_seconds)
    for question in asked.questions or QUESTIONS:
        with watch_load() as load:
            for line in QUESTIONS[question](answers):
                sys.stdout.write(f"{line}\n")
        sys.stdout.write(f"{load.describe()}\n\n")
        sys.stdout.flush()
    if asked.chart:
        from benchmarks.chart import draw_chart

        asked.chart.write_bytes(draw_chart(answers.trainings, answers.forwards))


if __name__ == "__main__":
    main()
