"""The loops, on a linear model and images that a test can reason about."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ensemble.data.loaders import BatchLoader, ImageRows, evaluation_loader, training_loader
from ensemble.errors import TrainingDiverged
from ensemble.training.engine import (
    Pixels,
    StepSettings,
    TrainingState,
    batch_logits,
    predict_logits,
    train_one_epoch,
)
from ensemble.training.losses import build_loss
from ensemble.training.meter import EpochHooks, EpochPosition
from ensemble.training.optim import build_ema, build_optimizer, build_schedule, updates_in_epoch
from ensemble.training.precision import choose_precision
from ensemble.training.sizes import size_begins

CPU = torch.device("cpu")
SIZE = 4


def make_rows(n: int, *, labels: np.ndarray | None = None) -> ImageRows:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, SIZE, SIZE), dtype=np.uint8)
    if labels is None:
        labels = (images[:, :2, 0] > 127).astype(np.float32)
    files = np.array([f"{number:02}.png" for number in range(n)])
    cache = SimpleNamespace(images=images, gather=images.__getitem__, image_files=files)
    ids = np.array([f"scan_{number:02}" for number in range(n)])
    return ImageRows(cache, np.arange(n, dtype=np.int64), labels, ids)  # type: ignore[arg-type]


def make_loader(rows: ImageRows, batch_size: int = 4) -> BatchLoader:
    return training_loader(rows, batch_size=batch_size, seed=1, augmentation=None, workers=0, gpu=None)


def make_settings(**changes: object) -> StepSettings:
    loss = build_loss("bce", pos_weight="none", labels=np.zeros((1, 2), np.float32))
    settings = {
        "loss": loss,
        "pixels": Pixels(0.5, 0.25, CPU),
        "precision": choose_precision("float32", CPU),
        "accumulation_steps": 1,
    }
    return StepSettings(**{**settings, **changes})  # type: ignore[arg-type]


def make_state(*, n_batches: int = 5, lr: float = 0.1, name: str = "sgd", ema: float | None = None) -> TrainingState:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, 2))
    optimizer = build_optimizer(model, name, lr=lr, weight_decay=0.0, args={})
    schedule = build_schedule(optimizer, "none", updates_per_epoch=n_batches, epochs=1, warmup_epochs=0, min_lr=0.0)
    return TrainingState(model, build_ema(model, ema), optimizer, schedule, choose_precision("float32", CPU).scaler())


def weights(state: TrainingState) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in state.model.parameters()])


def test_pixels_are_normalised_as_stated() -> None:
    pixels = Pixels(0.485, 0.229, CPU)
    images = torch.tensor([0, 128, 255], dtype=torch.uint8).reshape(3, 1, 1, 1)
    expected = (np.array([0, 128, 255]) / 255 - 0.485) / 0.229
    np.testing.assert_allclose(pixels(images).flatten(), expected, rtol=1e-5)
    np.testing.assert_allclose(pixels(images.float() / 255).flatten(), expected, rtol=1e-5)


def test_the_loss_of_an_epoch_is_the_mean_over_images() -> None:
    rows = make_rows(10)
    state = make_state(lr=1e-12)
    stats = train_one_epoch(state, make_loader(rows), make_settings(), epoch=0)
    logits = predict_logits(
        state.model,
        evaluation_loader(rows, batch_size=3, workers=0, gpu=None),
        pixels=Pixels(0.5, 0.25, CPU),
        precision=choose_precision("float32", CPU),
    )
    expected = nn.functional.binary_cross_entropy_with_logits(torch.from_numpy(logits), torch.from_numpy(rows.labels))
    assert stats.loss == pytest.approx(float(expected), rel=1e-5)
    assert stats.images == 10


def test_an_image_and_its_mirror_image_are_averaged_as_probabilities() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, 2)).eval()
    images = torch.from_numpy(make_rows(6).cache.images)[:, None]
    for scale in (1.0, 200.0):  # at the second most probabilities are 0 or 1 in float32
        with torch.no_grad():
            model[1].weight.mul_(scale)
        how = {"pixels": Pixels(0.5, 0.25, CPU), "precision": choose_precision("float32", CPU)}
        one, other = (batch_logits(model, each, **how).double() for each in (images, images.flip(-1)))
        found = batch_logits(model, images, mirrored=True, **how)
        assert torch.equal(found, batch_logits(model, images.flip(-1), mirrored=True, **how))
        expected = torch.log(one.sigmoid() + other.sigmoid()) - torch.log((-one).sigmoid() + (-other).sigmoid())
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("sizes", "anew"), [(((2, 2), (4, 4)), True), (((4, 4), (4, 4)), False)])
def test_the_average_begins_anew_with_another_size(sizes: tuple[tuple[int, int], ...], anew: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4, 2))
    optimizer = build_optimizer(model, "sgd", lr=0.1, weight_decay=0.0, args={})
    schedule = build_schedule(optimizer, "none", updates_per_epoch=5, epochs=2, warmup_epochs=0, min_lr=0.0)
    schedule = schedule.divided([5 * epoch for epoch in size_begins(sizes)])
    ema = build_ema(model, 0.9)
    assert ema is not None
    state = TrainingState(model, ema, optimizer, schedule, choose_precision("float32", CPU).scaler())
    same, weights_before, averages = [], [], []

    def before_batch(_number: int) -> None:
        same.append(torch.equal(ema.module[2].weight, model[2].weight))
        weights_before.append(model[2].weight.detach().clone())
        averages.append(ema.module[2].weight.clone())

    for epoch in range(2):
        hooks = EpochHooks(before_batch=before_batch)
        train_one_epoch(
            state,
            make_loader(make_rows(20)),
            make_settings(sizes=sizes),
            epoch=epoch,
            start=EpochPosition(),
            hooks=hooks,
        )
    assert same == [True, True, *[False] * 4, anew, *[False] * 3]  # the first update of each size is all of it
    if anew:  # and the second counts as the second of a run does: timm's warm-up, too, begins anew
        expected = torch.lerp(weights_before[6], weights_before[7], 2 ** (-2 / 3))
        torch.testing.assert_close(averages[7], expected)


def test_accumulated_batches_make_the_update_of_one_large_batch() -> None:
    rows = make_rows(16)
    ends = []
    for batch_size, accumulation in ((8, 1), (4, 2), (2, 4)):
        state = make_state()
        train_one_epoch(state, make_loader(rows, batch_size), make_settings(accumulation_steps=accumulation), epoch=0)
        assert state.updates == 2
        ends.append(weights(state))
    torch.testing.assert_close(ends[1], ends[0])
    torch.testing.assert_close(ends[2], ends[0])


def test_a_shorter_last_group_is_weighted_by_its_own_length() -> None:
    rows = make_rows(12)
    grouped, plain = make_state(), make_state()
    train_one_epoch(grouped, make_loader(rows, 4), make_settings(accumulation_steps=2), epoch=0)
    assert grouped.updates == updates_in_epoch(3, 2) == 2
    loader = make_loader(rows, 4)
    first, second, third = loader.order.positions_of(0)
    for positions in (np.concatenate([first, second]), third):
        plain.optimizer.zero_grad()
        images = torch.from_numpy(rows.cache.images[positions]).unsqueeze(1)
        logits = plain.model(Pixels(0.5, 0.25, CPU)(images))
        nn.functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(rows.labels[positions])).backward()
        plain.optimizer.step()
    torch.testing.assert_close(weights(grouped), weights(plain))


def test_clipping_bounds_the_update() -> None:
    rows = make_rows(4)
    state = make_state(lr=1.0)
    before = weights(state)
    train_one_epoch(state, make_loader(rows, 4), make_settings(clip_norm=0.01), epoch=0)
    # The first step of timm's SGD (Nesterov, momentum 0.9) is 1.9 gradients long.
    assert float((weights(state) - before).norm()) == pytest.approx(0.019, rel=1e-3)


def test_a_loss_that_is_not_finite_stops_the_run_and_says_where() -> None:
    labels = np.zeros((12, 2), np.float32)
    state = make_state()

    class Breaks(nn.Module):
        calls = 0

        def forward(self, logits: torch.Tensor, _labels: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return logits.sum() * (math.nan if self.calls >= 2 else 0.0)

    loader = make_loader(make_rows(12, labels=labels))
    ids = ", ".join(f"'scan_{position:02}'" for position in loader.order.positions_of(3)[1])
    where = rf"from epoch 4, batch 2 of 3 \(update 11, learning rate 0\.1; ids {ids}\)"
    with pytest.raises(TrainingDiverged, match=where):
        train_one_epoch(state, loader, make_settings(loss=Breaks()), epoch=3)


@pytest.mark.parametrize("accumulation", [1, 2])
def test_an_epoch_goes_on_from_any_update(accumulation: int) -> None:
    """Weights and the mean loss end at the same bits, wherever the epoch was broken off."""

    class Broken(Exception):  # noqa: N818 - a test's own
        pass

    rows, settings = make_rows(22), make_settings(accumulation_steps=accumulation)
    straight = make_state(name="adam", ema=0.9)
    whole = train_one_epoch(straight, make_loader(rows), settings, epoch=2)
    for stop_after in range(updates_in_epoch(6, accumulation)):
        state, reached = make_state(name="adam", ema=0.9), []

        def stop(
            position: Callable[[], EpochPosition],
            after: int = stop_after,
            state: TrainingState = state,
            reached: list[EpochPosition] = reached,
        ) -> None:
            if state.updates > after:
                reached.append(position())
                raise Broken

        with pytest.raises(Broken):
            train_one_epoch(state, make_loader(rows), settings, epoch=2, hooks=EpochHooks(on_update=stop))
        end = train_one_epoch(state, make_loader(rows), settings, epoch=2, start=reached[0])
        assert torch.equal(weights(state), weights(straight))
        assert (end.loss, end.images, end.batches) == (whole.loss, 22, 6)


def test_ema_is_warmed_up_and_counts_updates() -> None:
    state = make_state(ema=0.9999, lr=0.5)
    start = weights(state)
    for epoch in range(20):
        train_one_epoch(state, make_loader(make_rows(20)), make_settings(), epoch=epoch)
    assert state.ema is not None
    assert state.updates == 100
    average = torch.cat([parameter.detach().flatten() for parameter in state.ema.module.parameters()])
    # Without warm-up a decay of 0.9999 would have moved it by 1 % of the way after 100 updates.
    moved = float((average - start).norm() / (weights(state) - start).norm())
    assert moved > 0.5
    assert state.final_model() is state.ema.module


def test_nan_labels_do_not_count() -> None:
    labels = make_rows(8).labels.copy()
    labels[:, 1] = np.nan
    state = make_state()
    before = weights(state)
    stats = train_one_epoch(state, make_loader(make_rows(8, labels=labels)), make_settings(), epoch=0)
    moved = (weights(state) - before).reshape(-1)
    second_class = torch.cat([moved[SIZE * SIZE : 2 * SIZE * SIZE], moved[-1:]])
    assert float(second_class.abs().max()) == 0.0
    assert math.isfinite(stats.loss)


def test_predictions_come_in_the_rows_order_whatever_the_batch() -> None:
    state = make_state()
    found = [
        predict_logits(
            state.model,
            evaluation_loader(make_rows(11), batch_size=size, workers=0, gpu=None),
            pixels=Pixels(0.5, 0.25, CPU),
            precision=choose_precision("float32", CPU),
        )
        for size in (11, 4, 1)
    ]
    assert found[0].shape == (11, 2)
    assert found[0].dtype == np.float32
    np.testing.assert_allclose(found[1], found[0], atol=1e-6)
    np.testing.assert_allclose(found[2], found[0], atol=1e-6)


def test_logits_that_are_not_finite_are_refused() -> None:
    state = make_state()
    with torch.no_grad():
        next(state.model.parameters())[0, 0] = math.nan
    with pytest.raises(TrainingDiverged, match="logits are not finite for 5 of 5 images"):
        predict_logits(
            state.model,
            evaluation_loader(make_rows(5), batch_size=2, workers=0, gpu=None),
            pixels=Pixels(0.5, 0.25, CPU),
            precision=choose_precision("float32", CPU),
        )


def test_pixels_leave_a_float_batch_as_it_is() -> None:
    images = torch.full((1, 1, 2, 2), 0.5)
    Pixels(0.5, 0.25, CPU)(images)
    assert set(images.flatten().tolist()) == {0.5}


class AskedFor(TorchDispatchMode):
    """Counts how often a tensor's value is fetched: on a GPU each of these makes the host wait."""

    times = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.times += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_the_host_waits_for_no_batch() -> None:
    found = []
    for n_images in (8, 80):
        rows, state = make_rows(n_images), make_state(name="adamw", ema=0.9)
        with AskedFor() as asked:
            train_one_epoch(state, make_loader(rows), make_settings(clip_norm=1.0), epoch=0)
        found.append(asked.times)
    assert state.updates == 20
    assert found[0] == found[1] <= 4


def test_each_epoch_is_trained_at_its_own_size() -> None:
    seen = []

    class Pooled(nn.Sequential):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(tuple(images.shape[-2:]))
            return super().forward(nn.functional.adaptive_avg_pool2d(images, 2))

    state = make_state()
    state.model = Pooled(nn.Flatten(), nn.Linear(4, 2))
    settings = make_settings(sizes=((2, 2), (4, 4)))
    for epoch in (0, 1):
        train_one_epoch(state, make_loader(make_rows(4)), settings, epoch=epoch)
    assert seen == [(2, 2), (4, 4)]
    assert [settings.is_full_size(epoch) for epoch in (0, 1)] == [False, True]


def test_smaller_pixels_are_means_of_areas() -> None:
    images = torch.arange(16, dtype=torch.uint8).reshape(1, 1, 4, 4)
    small = Pixels(0.0, 1.0, CPU, size=(2, 2))(images)
    expected = torch.tensor([[2.5, 4.5], [10.5, 12.5]]) / 255
    torch.testing.assert_close(small[0, 0], expected)
    torch.testing.assert_close(Pixels(0.0, 1.0, CPU, size=(4, 4))(images), Pixels(0.0, 1.0, CPU)(images))


def test_a_translated_forward_pass_is_used_where_there_is_one() -> None:
    state, calls = make_state(), []

    def forward(images: torch.Tensor) -> torch.Tensor:
        calls.append(len(images))
        logits: torch.Tensor = state.model(images)
        return logits

    state.forward = forward
    plain = make_state()
    for one in (state, plain):
        train_one_epoch(one, make_loader(make_rows(6)), make_settings(), epoch=0)
    assert calls == [4, 2]
    assert torch.equal(weights(state), weights(plain))
