"""Makes folders of pictures, a folder a class, from the photographs that scikit-learn carries."""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

CLASSES = ("china", "flower")


def write_pictures(
    folder: Path, count: int, size: tuple[int, int], suffix: str, seed: int = 0
) -> int:
    """Writes crops of the photographs, as many of each class, and returns their bytes.

    Args:
        folder: Where a folder for each class is made.
        count: How many in all.
        size: Height and width in pixels.
        suffix: ``.jpg`` or ``.png``.
        seed: What the places of the crops are drawn from.
    """
    random = np.random.default_rng(seed)
    photographs = load_sample_images().images
    written = 0
    for index in range(count):
        photograph = photographs[index % len(CLASSES)]
        top, left = (
            random.integers(0, full - wanted + 1)
            for full, wanted in zip(photograph.shape, size, strict=False)
        )
        crop = photograph[top : top + size[0], left : left + size[1]]
        file = folder / CLASSES[index % len(CLASSES)] / f"{index:06}{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(crop).save(file, quality=90)
        written += file.stat().st_size
    return written
