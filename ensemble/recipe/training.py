"""How long and on what a fold is trained: the recipe's ``training`` section."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from ensemble.recipe.fields import Count, Positive, Settings

# A whole is no part: training ends at full size, so that the weights fit the images that are predicted.
Part = Annotated[float, Field(gt=0, lt=1)]


class EarlyStopping(Settings):
    """Stop when the loss on an inner slice of the training rows no longer falls.

    Attributes:
        patience_epochs: Epochs without a new best that are waited for.
        inner_fraction: The slice's share of the training rows; it shares no group with the others.
    """

    patience_epochs: Count
    inner_fraction: Annotated[float, Field(gt=0, le=0.5)] = 0.1


class SmallImages(Settings):
    """A part of the run that is trained on smaller images.

    Attributes:
        until: The share of the epochs after which it ends.
        size: The images' height and width, as a share of ``data.image_size``.
    """

    until: Part
    size: Part


class TrainingSettings(Settings):
    """One fold's training.

    Attributes:
        accumulation_steps: Batches an update.
        ema_decay: Of the moving average of the weights; None for none.
        clip_norm: The largest norm of a gradient; None for any.
        select: ``last`` epoch, or ``best_on_fold``: its scores are marked, as the epoch was picked on their rows.
        early_stopping: On a plateau of the inner slice's loss; None: never.
        progressive: Parts that are trained on smaller images, one after the other; what is left is at full size.
        freeze_backbone_epochs: First epochs in which the classifier of pretrained weights is trained alone.
        compile: Whether ``torch.compile`` translates the training step.
        score_epochs: Which epochs the held-out fold is predicted after.
        tta: Test-time augmentation: the tables hold the mean of each image and its mirror image; None: of the image.
        cuda_graphs: Whether a GPU replays the step from a recording.
        sync_batchnorm: Whether processes that train together on GPUs share batch normalisation's statistics.
    """

    epochs: Count = 15
    batch_size: Count = 48
    accumulation_steps: Count = 1
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    clip_norm: Positive | None = None
    select: Literal["last", "best_on_fold"] = "last"
    early_stopping: EarlyStopping | None = None
    progressive: tuple[SmallImages, ...] = ()
    freeze_backbone_epochs: Annotated[int, Field(ge=0)] = 0
    compile: bool = False
    cuda_graphs: bool = False
    score_epochs: Literal["all", "last"] = "all"
    tta: Literal["hflip"] | None = None
    sync_batchnorm: bool = False

    @model_validator(mode="after")
    def _parts_follow(self) -> Self:
        if not all(one.until < other.until and one.size < other.size for one, other in pairwise(self.progressive)):
            raise _misfit("progressive", "parts in order, each with a later end (until) and larger images (size)")
        if self.freeze_backbone_epochs > self.epochs:
            raise _misfit("freeze_backbone_epochs", f"at most training.epochs ({self.epochs})")
        if self.score_epochs == "last" and (self.early_stopping is not None or self.select != "last"):
            raise _misfit("score_epochs", "all with early_stopping or select: best_on_fold, which look at every epoch")
        return self


def _misfit(key: str, what: str) -> PydanticCustomError:
    return PydanticCustomError("expected", "expected {what}", {"what": what, "key": (key,)})
