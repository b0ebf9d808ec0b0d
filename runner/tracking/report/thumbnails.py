"""Makes small pictures of examples that a page carries in itself."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from runner.results import ClassifyResult
from runner.tracking.pictures.kinds import find_images

_MOST = 24
_MOST_SIDE = 96


@dataclass(frozen=True)
class Thumbnail:
    """An example that was classified.

    Attributes:
        source: A data URI of its picture.
        actual: What it is labelled with.
        predicted: What it was taken for.
        confidence: How certain, 0 to 1.
        row: Its row in its source.
        is_wrong: Whether both differ.
    """

    source: str
    actual: str
    predicted: str
    confidence: float
    row: int
    is_wrong: bool


def list_thumbnails(result: ClassifyResult) -> list[Thumbnail]:
    """Returns the worst mistakes, or the least certain examples; none where none is a picture."""
    images = find_images(result.features)
    if images is None:
        return []
    # This imports matplotlib.
    from runner.tracking.pictures.scales import scale_images

    images = images[:_MOST]
    step = -(-max(images.shape[1:3]) // _MOST_SIDE)
    images = images[:, ::step, ::step]
    scale = scale_images(images)
    is_grey = images.shape[-1] == 1
    painted = scale.paint(images[..., 0]) if is_grey else scale.paint_channels(images)
    return [
        Thumbnail(
            source=_to_uri(picture),
            actual=result.name_class(result.actual[at]),
            predicted=result.name_class(result.predicted[at]),
            confidence=float(result.confidence[at]),
            row=int(result.rows[at]),
            is_wrong=bool(result.actual[at] != result.predicted[at]),
        )
        for at, picture in zip(result.shown, painted, strict=False)
    ]


def _to_uri(picture: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
