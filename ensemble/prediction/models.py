"""A member's fold models, ready to look at batches of images as training's evaluation does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ensemble.data.images import Pixels as GreyPixels
from ensemble.data.images import sixteen_bit
from ensemble.data.loaders import as_network_input
from ensemble.errors import ArtefactError, TrainingDiverged, many
from ensemble.memory import memory_errors
from ensemble.models.weight_files import read_weights
from ensemble.prediction.decoding import Preparation
from ensemble.prediction.members import FoldFiles, MemberFiles
from ensemble.predictions import PredictionTable, mean_of_fold_models
from ensemble.training.engine import batch_logits
from ensemble.training.fold import EVALUATION_BATCHES
from ensemble.training.network import build_network
from ensemble.training.pixels import Pixels
from ensemble.training.precision import Precision, choose_precision, usable_cores

_TAKES = (
    "All models of the blend are on the device, and batches are as large as when the test rows were predicted. Make "
    "some free (on a GPU: see what else runs there), or choose another --device"
)


@dataclass(frozen=True, eq=False)
class FoldModel:
    """One network, and the conditions under which training evaluated it.

    Attributes:
        columns: Shape (C,): where each of the blend's classes stands among its logits.
        mirrored: Whether an image and its mirror image are averaged.
    """

    network: nn.Module
    pixels: Pixels
    precision: Precision
    threads: int
    columns: NDArray[np.intp]
    mirrored: bool

    def logits(self, images: torch.Tensor) -> NDArray[np.float32]:
        """Shape (B, C), in the blend's order of classes."""
        if self.threads != torch.get_num_threads():
            torch.set_num_threads(self.threads)
        found = batch_logits(self.network, images, pixels=self.pixels, precision=self.precision, mirrored=self.mirrored)
        values: NDArray[np.float32] = found.cpu().numpy()
        return values[:, self.columns]


@dataclass(frozen=True, eq=False)
class MemberModels:
    """A member: the mean of its fold models' probabilities, kept as float32 logits.

    Attributes:
        name: The member's.
        models: K.
        batch_size: Images at once: as many as when training predicted the test rows.
        preparation: What it wants of an image.
    """

    name: str
    models: tuple[FoldModel, ...]
    batch_size: int
    preparation: Preparation

    def logits(self, images: Sequence[GreyPixels], image_ids: Sequence[str]) -> NDArray[np.float32]:
        """Shape (B, C).

        Args:
            images: B, of the member's size.
            image_ids: Of these, for messages.

        Raises:
            TrainingDiverged: A logit is not finite.
            OutOfMemory: The device has too little.
        """
        with memory_errors(lambda: f"while member {self.name} looked at {many(len(images), 'image')} at once", _TAKES):
            batch = _as_batch(images)
            found = [model.logits(batch) for model in self.models]
        for values in found:
            if (bad := ~np.isfinite(values).all(axis=1)).any():
                raise TrainingDiverged(
                    f"member {self.name}: its logits are not finite for the image {image_ids[int(np.argmax(bad))]!r}: "
                    "the weights are broken, or the precision is too narrow for this image"
                )
        ids, names = np.array(image_ids, dtype=np.str_), tuple(map(str, range(found[0].shape[1])))
        return mean_of_fold_models([PredictionTable(ids, names, values) for values in found]).values


def _as_batch(images: Sequence[GreyPixels]) -> torch.Tensor:
    """Shape (B, 1, H, W), as loaders make it. Of images of both depths, those of 8 bits are scaled to 16 first."""
    deep = any(image.dtype == np.uint16 for image in images)
    stacked: NDArray[Any] = np.stack([sixteen_bit(image) if deep else image for image in images])
    return torch.from_numpy(as_network_input(stacked)).unsqueeze(1)


def load_member(
    files: MemberFiles, class_names: Sequence[str], device: torch.device, *, mirrored: bool
) -> MemberModels:
    """Build a member's networks and load their weights.

    Args:
        files: Checked (``open_members``).
        class_names: The blend's C names.
        device: Where they run.
        mirrored: Whether an image and its mirror image are averaged, whatever the recipe says.

    Raises:
        ArtefactError: Weights cannot be read, or do not fit the recipe's network.
        OutOfMemory: The device has too little.
    """
    recipe = files.recipe
    # Members that were trained where some files had 16 bits saw all images so.
    wide = any(fold.facts.get("pixel_type") == "uint16" for fold in files.folds)
    with memory_errors(lambda: f"while the models of member {files.name} were loaded", _TAKES):
        models = tuple(_load_model(files, fold, class_names, device, mirrored=mirrored) for fold in files.folds)
    return MemberModels(
        name=files.name,
        models=models,
        batch_size=recipe.training.batch_size * EVALUATION_BATCHES,
        preparation=Preparation(recipe.data.image_size, wide),
    )


def _load_model(
    files: MemberFiles, fold: FoldFiles, class_names: Sequence[str], device: torch.device, *, mirrored: bool
) -> FoldModel:
    recipe, own_names = files.recipe, list(fold.facts["class_names"])
    network = build_network(recipe, len(own_names), blank=True)
    try:
        network.load_state_dict(read_weights(fold.weights))
    except RuntimeError as error:
        raise ArtefactError(
            f"{fold.weights}: expected the weights of {recipe.model.name} as the recipe describes it, got others "
            f"({str(error).splitlines()[0]}): another version of timm may have built another network"
        ) from error
    network = network.to(device).to(memory_format=torch.channels_last).eval()
    columns = np.array([own_names.index(name) for name in class_names], dtype=np.intp)
    pixels = Pixels(recipe.data.mean, recipe.data.std, device)
    threads = min(int(fold.facts.get("threads", usable_cores())), usable_cores())
    return FoldModel(network, pixels, _precision(files, fold, device), threads, columns, mirrored or files.mirrored)


def _precision(files: MemberFiles, fold: FoldFiles, device: torch.device) -> Precision:
    """That in which training predicted, on the same kind of device; elsewhere what the recipe says."""
    name, trained_on = fold.facts.get("precision"), str(fold.facts.get("device"))
    kind = trained_on if trained_on in ("cpu", "mps") else "cuda"
    wanted = name if name is not None and kind == device.type else files.recipe.precision
    if wanted == "float16" and device.type == "cpu":
        wanted = "auto"
    return choose_precision(str(wanted), device)
