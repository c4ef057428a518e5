"""A training loop as a timm user writes it, for the benchmarks to measure against; nothing of it is ours.

PNG files through PIL, torchvision's transforms, torch's DataLoader, timm's optimizer, schedule and loss, float32; in a
second form bfloat16 by autocast, and channels_last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import timm.loss
import timm.optim
import torch
from numpy.typing import NDArray
from PIL import Image
from timm.scheduler.cosine_lr import CosineLRScheduler
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

MEAN, STD = 0.485, 0.229


class PngFiles(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Greyscale files of any size, and their labels."""

    def __init__(self, files: Sequence[Path], labels: NDArray[np.float32], size: int, *, training: bool) -> None:
        self.files, self.labels = list(files), torch.from_numpy(labels)
        moves = [transforms.RandomHorizontalFlip(), transforms.RandomApply([_affine()], p=0.7)] if training else []
        last = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
        self.transform = transforms.Compose([transforms.Resize((size, size)), *moves, *last])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        with Image.open(self.files[index]) as image:
            return self.transform(image.convert("L")), self.labels[index]


def _affine() -> nn.Module:
    bilinear = transforms.InterpolationMode.BILINEAR  # as ours, and timm's
    return transforms.RandomAffine(degrees=10, scale=(0.9, 1.1), interpolation=bilinear)


def loader_of(files: PngFiles, batch_size: int, *, training: bool, workers: int, pin: bool) -> DataLoader:
    """Batches as torch makes them."""
    return DataLoader(
        files,
        batch_size=batch_size,
        shuffle=training,
        drop_last=False,
        num_workers=workers,
        pin_memory=pin,
        persistent_workers=workers > 0,
    )


@dataclass
class PlainLoop:
    """One network and what trains it.

    Attributes:
        mixed: bfloat16 and channels_last instead of float32.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: CosineLRScheduler
    device: torch.device
    mixed: bool = False
    updates: int = 0

    def __post_init__(self) -> None:
        self.loss = timm.loss.BinaryCrossEntropy(smoothing=0.0).to(self.device)

    def epoch(self, loader: DataLoader) -> float:
        """Train on every batch; the mean loss."""
        self.model.train()
        losses = []
        for images, labels in loader:
            losses.append(self.step(images, labels))
        return sum(losses) / len(losses)

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> float:
        """One update; the loss, for the log."""
        images, labels = self._moved(images), labels.to(self.device, non_blocking=True)
        with self._autocast():
            loss = self.loss(self.model(images), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.updates += 1
        self.scheduler.step_update(self.updates)
        return float(loss.item())

    @torch.no_grad()
    def predict(self, loader: DataLoader) -> NDArray[np.float32]:
        """Logits, shape (N, C)."""
        self.model.eval()
        return torch.cat(list(self._logits(loader))).cpu().numpy()

    def _logits(self, loader: DataLoader) -> Iterator[torch.Tensor]:
        for images, _ in loader:
            with self._autocast():
                logits = self.model(self._moved(images))
            yield logits.float()

    def _moved(self, images: torch.Tensor) -> torch.Tensor:
        moved = images.to(self.device, non_blocking=True)
        return moved.contiguous(memory_format=torch.channels_last) if self.mixed else moved

    def _autocast(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, dtype=torch.bfloat16) if self.mixed else nullcontext()


@dataclass(frozen=True)
class Wish:
    """What is trained how: the same on both sides of a benchmark."""

    network: str
    n_classes: int
    size: int
    optimizer: str = "adam"
    lr: float = 1e-3
    weight_decay: float = 0.0


def build_plain(
    wish: Wish,
    device: torch.device,
    *,
    total_updates: int,
    warmup: int,
    mixed: bool = False,
    args: Mapping[str, Any] = MappingProxyType({}),
) -> PlainLoop:
    """Network, timm's optimizer, and a cosine down from ``wish.lr`` after a warm-up."""
    from ensemble.models import build_model  # registers the origin's networks with timm

    model = build_model(wish.network, num_classes=wish.n_classes, image_size=(wish.size, wish.size), args=args)
    model = model.to(device)
    if mixed:
        model = model.to(memory_format=torch.channels_last)
    optimizer = timm.optim.create_optimizer_v2(model, wish.optimizer, lr=wish.lr, weight_decay=wish.weight_decay)
    schedule = {"warmup_t": warmup, "warmup_lr_init": wish.lr / (warmup + 1), "warmup_prefix": True}
    t_initial = max(2, total_updates - warmup)
    scheduler = CosineLRScheduler(optimizer, t_initial=t_initial, t_in_epochs=False, cycle_limit=1, **schedule)
    return PlainLoop(model, optimizer, scheduler, device, mixed)
