"""Writes ``signatures.json``: the arguments that the installed Keras classes take.

The file lets a configuration be checked before TensorFlow is imported. Write it anew with
``python -m models.signatures`` after an update of Keras; a test holds it to the installed version.
"""

import inspect
import json
from typing import Any

import keras

from models.registry import SIGNATURES_FILE


def _public_classes(module: Any, parent: type) -> dict[str, type]:
    """Returns the public subclasses of `parent` in `module` by name, `parent` itself left out."""
    return {
        name: value
        for name, value in sorted(vars(module).items())
        if inspect.isclass(value) and issubclass(value, parent) and value is not parent
    }


def _arguments(cls: type, stop: type) -> dict[str, bool]:
    """Returns the arguments of `cls` by name, true where one is required.

    Where a constructor passes ``**kwargs`` on, the arguments of the next class towards `stop` that
    takes them are added.
    """
    arguments: dict[str, bool] = {}
    for ancestor in inspect.getmro(cls):
        if "__init__" not in vars(ancestor):
            continue
        parameters = list(inspect.signature(vars(ancestor)["__init__"]).parameters.values())[1:]
        passes_on = False
        for parameter in parameters:
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                passes_on = True
            elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
                required = parameter.default is inspect.Parameter.empty
                arguments.setdefault(parameter.name, required and ancestor is cls)
        if not passes_on or ancestor is stop:
            break
    return arguments


def _own_constructor(cls: type) -> type:
    """Returns the class in the order of resolution of `cls` that defines ``__init__``."""
    return next(ancestor for ancestor in inspect.getmro(cls) if "__init__" in vars(ancestor))


def read_signatures() -> dict[str, Any]:
    """Returns, for layers, optimizers, losses and metrics, each class's arguments."""
    kinds = {
        "layers": (keras.layers, keras.layers.Layer),
        "optimizers": (keras.optimizers, keras.optimizers.Optimizer),
        "losses": (keras.losses, keras.losses.Loss),
        "metrics": (keras.metrics, keras.metrics.Metric),
    }
    signatures: dict[str, Any] = {
        kind: {
            name: _arguments(_own_constructor(cls), parent)
            for name, cls in _public_classes(module, parent).items()
        }
        for kind, (module, parent) in kinds.items()
    }
    return {"keras": keras.__version__, **signatures}


def main() -> None:
    """Writes the file beside this module."""
    SIGNATURES_FILE.write_text(json.dumps(read_signatures(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
