"""Saves the trained model of a run, once its outputs are found to be those of the Session."""

import logging
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from models.classes import list_classes, locate_code
from models.problems import ConfigError
from runner.config import ExperimentConfig
from runner.engine.twin import (
    UnsavableError,
    answer,
    build_twin,
    describe_tensors,
    find_tolerance,
    list_requirements,
    name_inputs,
    name_outputs,
    save_twin,
)
from runner.results import AnswersResult, Arrays, ModelResult, Result, WeightsResult

FOLDER = "model"

log = logging.getLogger(__name__)


def save_model(
    results: Iterable[Result], config: ExperimentConfig, output_dir: Path
) -> Iterator[Result]:
    """Yields `results`, but for the Session's answers, and at the end the model that gave them.

    Where it cannot be saved, a warning says why; where its outputs are others, how far they are.

    Args:
        results: What a task yields.
        config: The whole experiment, its layers adapted.
        output_dir: The run's folder, in which the model gets a folder of its own.
    """
    weights: Arrays = {}
    answers: AnswersResult | None = None
    for result in results:
        if isinstance(result, AnswersResult):
            answers = result
            continue
        if isinstance(result, WeightsResult):
            weights = result.arrays
        yield result
    if answers is None:
        return
    folder = output_dir / FOLDER
    try:
        saved = _save(config, weights, answers, folder)
    except (UnsavableError, ConfigError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        log.warning(
            "tracking.model: the trained model cannot be kept in Keras's format: %s "
            "Its weights are in weights/weights.npz.",
            error,
        )
        return
    yield saved


def measure_difference(answers: Arrays, wanted: Arrays) -> tuple[str, float]:
    """Returns the output that differs most, and by how much, relative to its largest value.

    Args:
        answers: (examples, ...) arrays by the name of the output.
        wanted: What they ought to be.
    """
    differences = {name: _difference(answers[name], array) for name, array in wanted.items()}
    worst = max(differences, key=differences.__getitem__)
    return worst, differences[worst]


def _save(
    config: ExperimentConfig, weights: Arrays, answers: AnswersResult, folder: Path
) -> ModelResult:
    twin = build_twin(config.model, weights)
    names = tuple(twin.outputs)
    model = save_twin(twin, config.model, folder)
    given = answer(model, answers.features, names)
    output, difference = measure_difference(given, answers.outputs)
    tolerance = find_tolerance(model, has_gpu=answers.has_gpu)
    if not difference <= tolerance:
        log.warning(
            "tracking.model: %r of the saved model is NOT what the run's Session gives: for %d "
            "examples of the %s split it differs by %.1e of its largest value, more than the %.1e "
            "of rounding. Find out why before you use it.",
            output,
            len(answers.outputs[output]),
            answers.split,
            difference,
            tolerance,
        )
    references = list_classes({"layers": config.model.layers, "data": config.model.preprocess})
    code, requirements = locate_code(references)
    return ModelResult(
        folder=folder,
        inputs=describe_tensors(name_inputs(model)),
        outputs=describe_tensors(name_outputs(model, names)),
        example=answers.features,
        difference=difference,
        code=code,
        requirements=(*list_requirements(), *requirements),
    )


def _difference(given: np.ndarray, wanted: np.ndarray) -> float:
    if given.shape != wanted.shape:
        return np.inf
    if wanted.dtype.kind in "OSU" or not wanted.size:
        return 0.0 if np.array_equal(given, wanted) else np.inf
    wanted, given = wanted.astype(np.float64), given.astype(np.float64)
    distance = float(np.abs(given - wanted).max())
    scale = float(np.abs(wanted).max())
    return distance / scale if scale else distance
