"""Every recipe that ships: one battery over all of them, in whichever folder they lie."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ensemble.data.augment import build_augmentation, check_augmentation
from ensemble.data.loaders import ImageRows, training_loader
from ensemble.models import build_model
from ensemble.recipe import Recipe, dump_recipe, load_recipe
from ensemble.recipe_files import RecipeFile, list_recipes
from ensemble.training.build import build_settings, build_state
from ensemble.training.checks import check_recipe
from ensemble.training.engine import train_one_epoch
from ensemble.training.job import Hardware
from ensemble.training.precision import choose_precision

N_ORIGIN, N_DEMO, N_READY = 13, 3, 9
RECIPES = list_recipes()
ORIGIN = [found for found in RECIPES if found.name.startswith("origin/")]
N_CLASSES, BATCH, SIDE = 3, 4, 48

# What changes geometry or grey values and nothing else: whatever is not here has to be looked at first.
FIT_FOR_GREY = {"HorizontalFlip", "Affine", "RandomBrightnessContrast"}

every_recipe = pytest.mark.parametrize("found", RECIPES, ids=lambda found: found.name)


def load(found: RecipeFile, *overrides: str) -> Recipe:
    return load_recipe(found.path, overrides)


def test_their_number() -> None:
    folders = [found.name.rpartition("/")[0] for found in RECIPES]
    assert {name: folders.count(name) for name in folders} == {"": N_READY, "demo": N_DEMO, "origin": N_ORIGIN}
    assert len(RECIPES) == N_READY + N_DEMO + N_ORIGIN == 25
    members = [found.name.rpartition("/")[2] for found in RECIPES if not found.name.startswith("demo/")]
    assert len(set(members)) == len(members)  # a member is named after its file


@every_recipe
def test_it_loads_and_survives_a_round_trip(found: RecipeFile, tmp_path: Path) -> None:
    recipe = load(found)
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(path) == recipe


@every_recipe
def test_it_opens_with_what_it_is_the_command_and_what_to_expect(found: RecipeFile) -> None:
    lines = found.path.read_text(encoding="utf-8").splitlines()
    opening = lines[: next(number for number, line in enumerate(lines) if not line.startswith("#"))]
    assert opening[0].endswith(".")
    assert opening[1].startswith(f"#   python -m ensemble.train recipes/{found.name}.yaml --")
    assert any(line.startswith("# Score and time to expect") for line in opening)


@every_recipe
def test_it_states_its_pixels_and_changes_no_colour(found: RecipeFile) -> None:
    recipe = load(found)
    text = found.path.read_text(encoding="utf-8")
    assert "mean: " in text
    assert "std: " in text
    assert {transform.name for transform in recipe.augment} <= FIT_FOR_GREY
    assert check_augmentation(recipe.augment, recipe.data.image_size) == []
    assert recipe.precision == "auto"


@every_recipe
@pytest.mark.parametrize("size", [64, 224])
def test_its_network_reads_images_of_this_size(found: RecipeFile, size: int) -> None:
    recipe = load(found, f"data.image_size={size}", "model.pretrained=false")
    # Shapes without numbers where that is cheaper: the largest has two hundred million weights. An LSTM is taken apart.
    with torch.device("cpu" if recipe.model.name == "lstm" else "meta"):
        assert network(recipe)(torch.zeros(2, 1, size, size)).shape == (2, N_CLASSES)


def network(recipe: Recipe) -> torch.nn.Module:
    return build_model(
        recipe.model.name,
        num_classes=N_CLASSES,
        image_size=recipe.data.image_size,
        pool=recipe.model.pool,
        dense_layers=recipe.model.dense_layers,
        args=recipe.model.args,
    )


@every_recipe
def test_nothing_is_said_against_its_other_parts(found: RecipeFile, caplog: pytest.LogCaptureFixture) -> None:
    recipe = load(found, "data.image_size=48", "model.pretrained=false")
    stand_in = recipe.model.model_copy(update=CHEAP)
    recipe = recipe.model_copy(update={"model": stand_in})
    check_recipe(recipe, n_classes=N_CLASSES, title=found.name, labels=labels_of_rows())
    assert caplog.messages == []


# In place of the recipe's network where that is tried elsewhere.
CHEAP = {"name": "cnn2", "pool": None, "dense_layers": None, "args": {}}


def labels_of_rows() -> np.ndarray:
    return np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1]], np.float32)


@every_recipe
def test_one_step_at_48_pixels_is_finite_and_moves_every_weight(found: RecipeFile) -> None:
    recipe = load(found, f"data.image_size={SIDE}", "model.pretrained=false", f"training.batch_size={BATCH}")
    hardware = Hardware(torch.device("cpu"), choose_precision("float32", torch.device("cpu")), workers=0, threads=1)
    images = np.random.default_rng(0).integers(0, 256, (BATCH, SIDE, SIDE), dtype=np.uint8)
    rows = ImageRows(
        SimpleNamespace(images=images, gather=images.__getitem__), np.arange(BATCH, dtype=np.int64), labels_of_rows()
    )  # type: ignore[arg-type]
    augmentation = build_augmentation(recipe.augment, (SIDE, SIDE)) if recipe.augment else None
    loader = training_loader(rows, batch_size=BATCH, seed=0, augmentation=augmentation, workers=0, gpu=None)
    torch.manual_seed(0)
    state, notices = build_state(recipe, hardware, n_classes=N_CLASSES, n_batches=len(loader))
    assert notices == []
    finite = watch_gradients(state.model)
    stats = train_one_epoch(state, loader, build_settings(recipe, rows, hardware, state.model), epoch=0)
    assert np.isfinite(stats.loss)
    assert len(finite) == sum(1 for _ in state.model.parameters())
    assert all(finite)
    assert state.updates == 1
    assert all(tensor.isfinite().all() for tensor in state.final_model().state_dict().values())


def watch_gradients(model: torch.nn.Module) -> list[bool]:
    """Grows by one entry for each weight that gets a gradient: whether all of it is finite."""
    finite: list[bool] = []
    for weight in model.parameters():
        weight.register_post_accumulate_grad_hook(lambda w: finite.append(bool(w.grad.isfinite().all())))
    return finite


# --- those for people who want results -----------------------------------------------------------------------------


@pytest.mark.parametrize("found", [found for found in RECIPES if "/" not in found.name], ids=lambda found: found.name)
def test_a_ready_recipe_has_what_results_need(found: RecipeFile) -> None:
    recipe = load(found)
    assert {"HorizontalFlip", "Affine"} <= {transform.name for transform in recipe.augment}
    assert recipe.schedule.name == "cosine"
    assert recipe.schedule.warmup_epochs >= 1
    assert recipe.training.ema_decay is not None
    if recipe.model.pretrained:
        assert "--set model.pretrained=false" in found.path.read_text(encoding="utf-8")


def test_which_start_from_pretrained_weights() -> None:
    pretrained = [found.name for found in RECIPES if load(found).model.pretrained]
    assert pretrained == ["convnext_tiny", "efficientnet_lite0", "vit_small"]


# --- the origin's table --------------------------------------------------------------------------------------------

# model, out_channels, dense layers, batch, pool, epochs (None: not stated), loss, reported score
TABLE = [
    ("cnn2", None, 2, 48, "max", 12, "cross_entropy", "12.73"),
    ("cnn2", None, 2, 48, "max", 12, "bce", "54.87"),
    ("cnn2", None, 2, 64, "max", 12, "bce", "57.12"),
    ("cnn2", None, 2, 64, "avg", 15, "bce", "57.32"),
    ("cnn2", 512, 2, 48, "max", 15, "bce", "68.70"),
    ("cnn2", 512, 2, 64, "max", 15, "bce", "71.30"),
    ("cnn3", None, 2, 64, "avg", 15, "bce", "71.77"),
    ("cnn2", None, 2, 128, "avg", 15, "bce", "73.50"),
    ("cnn2", None, 1, 128, "avg", 15, "bce", "73.87"),
    ("vgg21", None, 1, 48, "avg", 15, "bce", "74.10"),
    ("vgg14", None, 1, 48, "max", 15, "bce", "74.27"),
    ("vgg14", None, 1, 64, "max", 15, "bce", "74.33"),
    ("lstm", None, 1, 64, None, None, "soft_f1", "0.3"),
]


@pytest.mark.parametrize(("found", "row"), list(zip(ORIGIN, TABLE, strict=True)), ids=[found.name for found in ORIGIN])
def test_the_origins_rows_are_those_of_its_report(found: RecipeFile, row: tuple) -> None:
    model, out_channels, dense_layers, batch, pool, epochs, loss, score = row
    recipe = load(found)
    assert found.name == f"origin/{TABLE.index(row) + 1:02}_{model}"
    assert (recipe.model.name, recipe.model.args.get("out_channels")) == (model, out_channels)
    assert (recipe.model.dense_layers, recipe.model.pool) == (dense_layers, pool)
    assert (recipe.training.batch_size, recipe.loss.name) == (batch, loss)
    assert epochs in (None, recipe.training.epochs)
    assert (recipe.optimizer.name, recipe.schedule.name, recipe.training.ema_decay) == ("adam", "none", None)
    assert (recipe.data.image_size, recipe.data.mean, recipe.data.std) == ((224, 224), 0.485, 0.229)
    text = found.path.read_text(encoding="utf-8")
    assert f"the report states {score}" in text
    assert text.count("(assumed)") >= 4


def test_the_last_row_reads_raw_rows_once() -> None:
    recipe = load(ORIGIN[-1], "data.image_size=64")
    model = network(recipe)
    assert isinstance(model.stem, torch.nn.Identity)
    assert isinstance(model.project, torch.nn.Identity)
    assert (model.lstm.input_size, model.lstm.num_layers, model.lstm.bidirectional) == (64, 1, False)
    assert model.summary == "last"
