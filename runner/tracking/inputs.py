"""The data of a run as MLflow's dataset inputs, one a split."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag

from runner.results import DataResult

_CONTEXT = "mlflow.data.context"


def list_inputs(result: DataResult) -> Iterator[DatasetInput]:
    """Yields what MLflow shows of each split: its digest, schema, number of rows and balance."""
    schema = {
        "mlflow_tensorspec": {
            "features": json.dumps(_list_tensors(result.features)),
            "targets": json.dumps(_list_tensors(result.labels)),
        }
    }
    for name, split in result.splits.items():
        dataset = Dataset(
            name=result.name,
            digest=split.digest,
            source_type="local",
            source=json.dumps({"uri": result.source}),
            schema=json.dumps(schema),
            profile=json.dumps({"num_rows": split.examples, **split.balance}),
        )
        yield DatasetInput(dataset, [InputTag(_CONTEXT, name)])


def _list_tensors(tensors: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns tensors in the form of MLflow's schemas, in which -1 is an axis that varies."""
    return [
        {
            "name": name,
            "type": "tensor",
            "tensor-spec": {
                "dtype": tensor["dtype"],
                "shape": [-1, *(-1 if axis is None else axis for axis in tensor["shape"])],
            },
        }
        for name, tensor in tensors.items()
    ]
