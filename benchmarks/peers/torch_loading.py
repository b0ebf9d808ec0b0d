"""Reads pictures by PyTorch's DataLoader, as torchvision's ImageFolder, Resize and ToTensor do."""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from benchmarks.peers.passes import print_second_pass, read_arguments


class ImageFolder(Dataset[tuple[torch.Tensor, int]]):
    """Pictures in a folder for each class."""

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        """Lists the files."""
        classes = sorted(folder.iterdir())
        self._files = [
            (file, label) for label, one in enumerate(classes) for file in sorted(one.iterdir())
        ]
        self._size = size

    def __len__(self) -> int:
        """Returns the number of pictures."""
        return len(self._files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        """Returns a picture, (channels, height, width) float32 from 0 to 1, and its class."""
        file, label = self._files[index]
        with Image.open(file) as opened:
            picture = opened.convert("RGB")
        height, width = self._size
        if picture.size != (width, height):
            picture = picture.resize((width, height), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()
        return pixels.float().div(255), label


def main() -> None:
    """Prints the seconds of a pass."""
    loading = read_arguments()
    loader = DataLoader(
        ImageFolder(loading.folder, loading.size),
        batch_size=loading.batch_size,
        shuffle=True,
        num_workers=os.cpu_count() or 1,
        persistent_workers=True,
    )
    print_second_pass(lambda _: (pictures for pictures, _ in loader))


if __name__ == "__main__":
    main()
