"""Every loss: its value, missing labels, extreme logits, and what it refuses."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import timm.loss
import torch
from torch.nn import functional

from ensemble.errors import RecipeError
from ensemble.recipe.schema import LossName
from ensemble.training.losses import balanced_weights, build_loss, loss_names

ROWS, CLASSES = 12, 3
MASKING = loss_names(masking=True)
OTHERS = tuple(name for name in loss_names() if name not in MASKING)
NAN = float("nan")

every_loss = pytest.mark.parametrize("name", loss_names())


def logits_and_labels(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(ROWS, CLASSES, generator=generator)
    labels = (torch.rand(ROWS, CLASSES, generator=generator) < 0.4).float()
    labels[0] = 0.0  # a healthy patient
    return logits, labels


def value_of(name: str, logits: torch.Tensor, labels: torch.Tensor, **settings: object) -> float:
    return float(build_loss(name, labels=labels.numpy(), **settings)(logits, labels))  # type: ignore[arg-type]


def test_the_schema_knows_them_all() -> None:
    assert get_args(LossName) == loss_names()
    assert len(loss_names()) == 9
    assert MASKING == ("bce", "asl", "poly", "soft_f1", "bce_soft_f1")


# --- values -----------------------------------------------------------------------------------------------------------


def test_values_are_timms_and_torchs() -> None:
    logits, labels = logits_and_labels()
    counts = labels.sum(dim=0)
    expected = {
        "bce": functional.binary_cross_entropy_with_logits(logits, labels),
        "cross_entropy": torch.nn.CrossEntropyLoss()(logits, labels),
        "asl": timm.loss.AsymmetricLossMultiLabel(reduction="mean")(logits, labels),
        "poly": timm.loss.PolyBinaryCrossEntropy()(logits, labels),
        "twoway": timm.loss.TwoWayLoss()(logits, labels),
        "zlpr": timm.loss.ZlprLoss()(logits, labels),
        "db": timm.loss.DistributionBalancedLoss(counts, ROWS)(logits, labels),
    }
    for name, value in expected.items():
        assert value_of(name, logits, labels) == pytest.approx(float(value), rel=1e-6), name
    assert set(loss_names()) - set(expected) == {"soft_f1", "bce_soft_f1"}


def test_cross_entropy_by_hand() -> None:
    # -log softmax of both positives of the first row; the second has none and costs nothing; then the mean over rows.
    logits, labels = torch.tensor([[0.0, 1.0], [5.0, -5.0]]), torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    expected = (2 * np.log(1 + np.e) - 1) / 2
    assert value_of("cross_entropy", logits, labels) == pytest.approx(expected)
    assert value_of("cross_entropy", logits + 7, labels) == pytest.approx(expected)


def test_soft_f1_by_hand() -> None:
    # Probabilities 0.5 and 0.8; class 1 is positive in row 1 alone, class 2 in both.
    logits = torch.logit(torch.tensor([[0.5, 0.8], [0.8, 0.5]]))
    labels = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    f1 = [2 * 0.5 / (1.3 + 1), 2 * 1.3 / (1.3 + 2)]
    assert value_of("soft_f1", logits, labels) == pytest.approx(1 - np.mean(f1))


def test_soft_f1_of_sure_answers_is_one_minus_f1() -> None:
    decisions = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    labels = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    # Class 1: one of each of TP, FP, FN. Class 2: nothing to find, so 0 whatever is said.
    assert value_of("soft_f1", 200 * (decisions - 0.5), labels) == pytest.approx(1 - 0.5 / 2)
    assert value_of("soft_f1", torch.full((3, 2), -200.0), torch.zeros(3, 2)) == 1.0


def test_the_mixture_is_one() -> None:
    logits, labels = logits_and_labels()
    bce, soft = value_of("bce", logits, labels), value_of("soft_f1", logits, labels)
    assert value_of("bce_soft_f1", logits, labels) == pytest.approx((bce + soft) / 2)
    assert value_of("bce_soft_f1", logits, labels, args={"soft_f1_fraction": 0.2}) == pytest.approx(
        0.8 * bce + 0.2 * soft
    )
    weighted = value_of("bce", logits, labels, pos_weight="balanced")
    assert value_of("bce_soft_f1", logits, labels, pos_weight="balanced") == pytest.approx((weighted + soft) / 2)


def test_arguments_reach_the_loss() -> None:
    logits, labels = logits_and_labels()
    counts = labels.sum(dim=0)
    for name, args, other in [
        ("bce", {"smoothing": 0.1}, timm.loss.BinaryCrossEntropy(smoothing=0.1, smooth_dense=True)),
        ("asl", {"gamma_neg": 2, "clip": 0}, timm.loss.AsymmetricLossMultiLabel(2, clip=0, reduction="mean")),
        ("poly", {"epsilon": -1, "gamma": 2, "alpha": 0.25}, timm.loss.PolyBinaryCrossEntropy(-1, 2, 0.25)),
        ("twoway", {"tp": 1.0, "tn": 2}, timm.loss.TwoWayLoss(1.0, 2)),
        (
            "db",
            {"focal_gamma": 0, "map_mu": 0.3},
            timm.loss.DistributionBalancedLoss(counts, ROWS, map_mu=0.3, focal_gamma=0),
        ),
    ]:
        assert value_of(name, logits, labels, args=args) == pytest.approx(float(other(logits, labels))), name


def test_db_counts_the_training_rows_not_the_batch() -> None:
    logits, labels = logits_and_labels()
    rare = np.zeros((1000, CLASSES), np.float32)
    rare[:10, 0], rare[:500, 1], rare[:, 2] = 1, 1, 1
    loss = build_loss("db", labels=rare)
    expected = timm.loss.DistributionBalancedLoss([10, 500, 1000], 1000)(logits, labels)
    assert float(loss(logits, labels)) == pytest.approx(float(expected))


def test_balanced_weights() -> None:
    labels = np.array([[1, 0, 1], [0, 0, 1], [0, 0, 1], [np.nan, 0, 1]], np.float32)
    np.testing.assert_allclose(balanced_weights(labels), [2.0, 1.0, 1.0])


def test_positive_weights_scale_the_positives() -> None:
    labels = torch.tensor([[1.0], [0.0]])
    logits = torch.zeros(2, 1)
    plain = build_loss("bce", pos_weight="none", labels=labels.numpy())(logits, labels)
    weighted = build_loss("bce", pos_weight=[3.0], labels=labels.numpy())(logits, labels)
    assert float(plain) == pytest.approx(np.log(2))
    assert float(weighted) == pytest.approx(2 * np.log(2))


def test_one_weight_for_each_class() -> None:
    with pytest.raises(RecipeError, match=r"expected one number for each of the 2 classes, got 3"):
        build_loss("bce", pos_weight=[1, 2, 3], labels=np.zeros((1, 2), np.float32))


# --- one battery ------------------------------------------------------------------------------------------------------


@every_loss
@pytest.mark.parametrize("scale", [1.0, 50.0, 1e4])
def test_it_and_its_gradient_stay_finite(name: str, scale: float) -> None:
    logits, labels = logits_and_labels()
    for signs in (logits.sign(), 2 * labels - 1, 1 - 2 * labels):  # anyhow, all sure and right, all sure and wrong
        extreme = (scale * signs).requires_grad_()
        value = build_loss(name, labels=labels.numpy())(extreme, labels)
        value.backward()
        assert value.isfinite()
        assert extreme.grad is not None
        assert extreme.grad.isfinite().all()


@every_loss
def test_it_is_a_float32_scalar_whatever_the_network_computes_in(name: str) -> None:
    logits, labels = logits_and_labels()
    loss = build_loss(name, labels=labels.numpy())
    value = loss(logits.bfloat16(), labels)
    assert (value.dtype, value.shape) == (torch.float32, torch.Size([]))
    assert float(value) == pytest.approx(float(loss(logits.bfloat16().float(), labels)))


@every_loss
def test_a_step_against_its_gradient_lowers_it(name: str) -> None:
    logits, labels = logits_and_labels(1)
    logits.requires_grad_()
    loss = build_loss(name, labels=labels.numpy())
    before = loss(logits, labels)
    before.backward()
    assert loss((logits - 0.05 * logits.grad).detach(), labels) < before


@every_loss
def test_rows_without_any_positive_are_no_trouble(name: str) -> None:
    logits = torch.linspace(-1, 1, 6).reshape(2, 3).requires_grad_()
    labels = torch.zeros(2, 3)
    value = build_loss(name, labels=labels.numpy())(logits, labels)
    value.backward()
    assert value.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


# --- missing labels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bce", "asl", "poly"])
def test_a_missing_label_is_an_entry_that_is_not_there(name: str) -> None:
    logits, labels = logits_and_labels()
    holes = torch.rand(ROWS, CLASSES, generator=torch.Generator().manual_seed(5)) < 0.3
    kept_logits, kept_labels = logits[~holes][:, None], labels[~holes][:, None]
    expected = value_of(name, kept_logits, kept_labels)
    assert value_of(name, logits, labels.masked_fill(holes, NAN)) == pytest.approx(expected, rel=1e-5)


def test_soft_f1_leaves_missing_labels_out_of_its_sums() -> None:
    logits, labels = logits_and_labels()
    parts = [value_of("soft_f1", logits[:7, :1], labels[:7, :1]), value_of("soft_f1", logits[:, 1:2], labels[:, 1:2])]
    labels[7:, 0] = NAN
    labels[:, 2] = NAN  # this class is left out of the mean
    assert value_of("soft_f1", logits, labels) == pytest.approx(np.mean(parts), rel=1e-5)


@pytest.mark.parametrize("name", MASKING)
def test_missing_labels_get_no_gradient(name: str) -> None:
    logits, labels = logits_and_labels()
    labels[3, 1] = NAN
    labels[5] = NAN
    logits.requires_grad_()
    build_loss(name, labels=labels.numpy())(logits, labels).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert float(logits.grad[3, 1].abs() + logits.grad[5].abs().sum()) == 0.0
    changed = logits.detach().clone()
    changed[3, 1], changed[5] = 60.0, -60.0
    loss = build_loss(name, labels=labels.numpy())
    assert float(loss(changed, labels)) == float(loss(logits.detach(), labels))


@pytest.mark.parametrize("name", MASKING)
def test_a_batch_without_labels_costs_nothing(name: str) -> None:
    labels = torch.full((2, 2), NAN)
    logits = torch.zeros(2, 2, requires_grad=True)
    value = build_loss(name, labels=np.zeros((2, 2), np.float32))(logits, labels)
    value.backward()
    assert float(value.detach()) == 0.0
    assert logits.grad is not None
    assert float(logits.grad.abs().sum()) == 0.0


@pytest.mark.parametrize("name", OTHERS)
def test_the_others_refuse_missing_labels_and_name_those_that_do_not(name: str) -> None:
    labels = np.zeros((4, 3), np.float32)
    labels[1:3, 2] = np.nan
    message = (
        rf"loss\.name: {name} compares .* 2 of the training rows' 12 labels are missing, in 2 rows "
        r"\(class number 3\)\. "
        r"Losses that leave them out: bce, asl, poly, soft_f1, bce_soft_f1"
    )
    with pytest.raises(RecipeError, match=message):
        build_loss(name, labels=labels)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in loss_names() if name not in ("bce", "bce_soft_f1")])
@pytest.mark.parametrize("pos_weight", ["balanced", [1.0, 2.0, 3.0]])
def test_only_some_weigh_positives(name: str, pos_weight: object) -> None:
    with pytest.raises(
        RecipeError, match=rf"loss\.pos_weight: {name} does not take it, only bce, bce_soft_f1 do; set it"
    ):
        build_loss(name, labels=np.zeros((2, 3), np.float32), pos_weight=pos_weight)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "args", "said"),
    [
        ("zlpr", {"tp": 1}, r"loss\.args\.tp: zlpr does not take this argument; it takes no arguments"),
        ("asl", {"gama_neg": 1}, r"takes gamma_neg, gamma_pos, clip, .*smoothing; did you mean 'gamma_neg'\?"),
        ("asl", {"reduction": "sum"}, r"loss\.args\.reduction: asl does not take this argument"),
        ("asl", {"gamma_pos": 0.5}, r"loss\.args\.gamma_pos: expected 0, or a number of 1 or more, got 0\.5"),
        ("asl", {"clip": 1}, r"loss\.args\.clip: expected a number from 0 to less than 1, got 1"),
        ("asl", {"disable_torch_grad_focal_loss": 1}, r"expected true or false, got 1"),
        ("poly", {"alpha": 1.5}, r"expected a number from 0 to 1, got 1\.5"),
        ("poly", {"epsilon": "2"}, r"loss\.args\.epsilon: expected a number, got '2'"),
        ("poly", {"epsilon": True}, r"expected a number, got True"),
        ("twoway", {"tn": 0}, r"loss\.args\.tn: expected a number above 0, got 0"),
        ("db", {"map_alpha": -1}, r"loss\.args\.map_alpha: expected a number of 0 or more, got -1"),
        ("db", {"class_counts": [1, 2]}, r"loss\.args\.class_counts: db does not take this argument"),
        ("bce_soft_f1", {"soft_f1_fraction": 2}, r"expected a number from 0 to 1, got 2"),
        ("cross_entropy", {"weight": 1}, r"cross_entropy does not take this argument; it takes no arguments"),
        ("mse", {}, r"loss\.name: expected one of bce, cross_entropy, .*, got 'mse'"),
    ],
)
def test_arguments_that_a_loss_cannot_use(name: str, args: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        build_loss(name, labels=np.zeros((2, 3), np.float32), args=args)


def test_all_that_is_wrong_is_said_at_once() -> None:
    labels = np.full((2, 3), np.nan, np.float32)
    with pytest.raises(RecipeError) as caught:
        build_loss("twoway", labels=labels, pos_weight="balanced", args={"tp": 0, "x": 1})
    assert [line[:5] for line in str(caught.value).splitlines()[1:]] == ["  1. ", "  2. ", "  3. ", "  4. "]


def test_db_needs_rows_to_count() -> None:
    with pytest.raises(RecipeError, match="db needs at least 2 training rows"):
        build_loss("db", labels=np.ones((1, 3), np.float32))
