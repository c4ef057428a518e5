import pytest
import torch
from timm.utils.model_ema import ModelEmaV3
from torch import nn

from ensemble.errors import RecipeError
from ensemble.training.optim import build_ema, build_optimizer, build_schedule


def rates(
    name: str, *, epochs: int, per_epoch: int, warmup: float, min_lr: float = 0.0, parts: tuple[int, ...] = (0,)
) -> tuple[list[float], str]:
    optimizer = build_optimizer(nn.Linear(1, 1), "adam", lr=1.0, weight_decay=0.0, args={})
    schedule = build_schedule(
        optimizer, name, updates_per_epoch=per_epoch, epochs=epochs, warmup_epochs=warmup, min_lr=min_lr
    ).divided([epoch * per_epoch for epoch in parts])
    found = []
    for update in range(epochs * per_epoch):
        schedule.set_for(update)
        found.append(schedule.learning_rate())
    return found, schedule.notice


def test_cosine_climbs_to_the_full_rate_and_falls_to_the_least() -> None:
    found, notice = rates("cosine", epochs=10, per_epoch=10, warmup=2, min_lr=0.01)
    assert notice == ""
    assert found[:20] == sorted(found[:20])
    assert found[20] == pytest.approx(1.0)
    assert found[20:] == sorted(found[20:], reverse=True)
    assert 0.01 <= found[-1] < 0.02
    assert all(rate > 0 for rate in found)


def test_no_schedule_is_a_constant_rate() -> None:
    assert set(rates("none", epochs=2, per_epoch=3, warmup=0)[0]) == {1.0}


def test_no_schedule_still_warms_up() -> None:
    found, _ = rates("none", epochs=4, per_epoch=10, warmup=1)
    assert found[0] < 0.1 + 1e-9
    assert set(found[10:]) == {1.0}


@pytest.mark.parametrize("warmup", [2, 5])
def test_a_warmup_as_long_as_the_run_is_cut_and_said(warmup: float) -> None:
    found, notice = rates("cosine", epochs=2, per_epoch=10, warmup=warmup)
    too_long = f"schedule.warmup_epochs {warmup} is not shorter than the run (training.epochs 2)"
    assert notice == f"{too_long}: cut to 10 updates"
    assert max(found) == pytest.approx(1.0)
    assert rates("cosine", epochs=2, per_epoch=1, warmup=2)[1].endswith("cut to 1 update")


def test_a_one_update_run_uses_the_full_rate() -> None:
    found, _ = rates("cosine", epochs=1, per_epoch=1, warmup=1)
    assert found == [pytest.approx(1.0)]


def test_unknown_optimizer_and_arguments_are_refused() -> None:
    with pytest.raises(RecipeError, match="timm has no optimizer 'adamm'"):
        build_optimizer(nn.Linear(1, 1), "adamm", lr=1.0, weight_decay=0.0, args={})
    with pytest.raises(RecipeError, match="does not take these settings"):
        build_optimizer(nn.Linear(1, 1), "adam", lr=1.0, weight_decay=0.0, args={"wheels": 4})


@pytest.mark.parametrize("name", ["adam", "adamw", "momentum", "sgd"])
def test_the_step_is_fused_where_torch_can(name: str) -> None:
    optimizer = build_optimizer(nn.Linear(1, 1), name, lr=1.0, weight_decay=0.1, args={})
    assert optimizer.defaults["fused"] is True
    unfused = build_optimizer(nn.Linear(1, 1), name, lr=1.0, weight_decay=0.1, args={"fused": False})
    assert unfused.defaults["fused"] is False


def test_the_average_is_timms_to_the_bit() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    ours, timms = build_ema(model, 0.9), ModelEmaV3(model, decay=0.9, use_warmup=True)
    assert ours is not None
    for step in range(1, 4):
        model(torch.randn(5, 3))  # moves the averages of batch normalisation, and its counter
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn_like(weight))
        if step == 3:
            ours.module.load_state_dict(timms.module.state_dict())
        for average in (ours, timms):
            average.update(model, step=step)
    stored = timms.module.state_dict()
    assert all(torch.equal(value, stored[key]) for key, value in ours.module.state_dict().items())
    assert stored["1.num_batches_tracked"] == 3


def test_no_decay_no_average() -> None:
    assert build_ema(nn.Linear(1, 1), None) is None


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("adahessian", {}, "second derivatives"),
        ("kron", {}, "no checkpoint holds"),
        ("lookahead_adam", {}, "timm has no optimizer"),
        ("bnbadam", {}, "does not take these settings"),
        ("adam", {"foreach": True}, "does not take these settings"),
        ("adam", {"betas": [0.9]}, "does not take these settings"),
    ],
)
def test_optimizers_that_the_loop_cannot_drive_are_refused(name: str, args: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build_optimizer(nn.Linear(1, 1), name, lr=1.0, weight_decay=0.0, args=args)


def test_layer_decay_holds_without_a_schedule() -> None:
    # As timm's layer_decay makes them.
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr_scale": scale} for scale in (0.5, 1.0)]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    schedule = build_schedule(optimizer, "none", updates_per_epoch=2, epochs=2, warmup_epochs=0, min_lr=0.0)
    schedule.set_for(0)
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.1]
    assert schedule.learning_rate() == 0.1


def test_each_part_of_a_run_has_the_whole_course_in_its_own_time() -> None:
    whole, parts = (rates("cosine", epochs=4, per_epoch=10, warmup=1, parts=one)[0] for one in ((0,), (0, 2, 3)))
    assert parts[:20] == pytest.approx(whole[::2])
    assert parts[20:30] == parts[30:] == pytest.approx(whole[::4])
