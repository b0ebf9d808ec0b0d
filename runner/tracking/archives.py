"""Writes arrays by name as NumPy reads them."""

import zipfile
from pathlib import Path

import numpy as np

from runner.results import Arrays


def write_arrays(file: Path, arrays: Arrays) -> None:
    """Writes `arrays` to an .npz file, whatever their names are."""
    # The name of a weight may be that of an argument of savez.
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
