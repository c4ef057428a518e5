"""What is tried before a fold's first step."""

import logging

import pytest
import torch
from torch import nn

from ensemble.errors import RecipeError
from ensemble.training.checks import check_lone_image
from ensemble.training.notices import collected_warnings

CPU = torch.device("cpu")


def test_a_lone_image_is_refused_where_batch_normalisation_cannot_use_it() -> None:
    pooled = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(2))
    with pytest.raises(RecipeError, match=r"cannot train on one .*training\.batch_size of 2 or more"):
        check_lone_image(pooled, (8, 8), CPU)


def test_a_lone_image_is_tried_on_a_copy() -> None:
    spatial = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval()
    before = {name: tensor.clone() for name, tensor in spatial.state_dict().items()}
    check_lone_image(spatial, (8, 8), CPU)
    assert not spatial.training
    for name, tensor in spatial.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_warnings_are_collected_once_and_only_while_asked(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("ensemble.models.build")
    with collected_warnings("ensemble.models") as said:
        logger.warning("%d kernels were summed", 3)
        logger.info("nobody asked")
    with collected_warnings("ensemble.models") as again:
        pass
    assert (said, again) == (["3 kernels were summed"], [])
    assert capsys.readouterr().err == ""
