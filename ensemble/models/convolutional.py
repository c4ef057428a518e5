"""Plain convolutional networks: stages of 3 × 3 convolutions, a 2 × 2 pool after each, flatten, dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from timm.models import build_model_with_cfg
from torch import Tensor, nn

from ensemble.errors import RecipeError
from ensemble.models.dense_head import DenseHead, image_shape, refuse_other_shape

# Channels of each convolution, stage by stage; a stage ends with a pool.
Plan = tuple[tuple[int, ...], ...]

_POOLS: dict[str, type[nn.MaxPool2d | nn.AvgPool2d]] = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}


class ConvolutionalNet(nn.Module):
    """The shape that the origin's CNN and VGG share.

    Every convolution is 3 × 3 with padding, without bias (the batch norm after it has one), and starts from He's
    normal distribution. Every pool halves height and width, rounding down. The map of the last stage is flattened, so
    the network is made for one size of image.

    Source: He et al. 2015, arXiv:1502.01852 (initial weights); Simonyan and Zisserman 2014, arXiv:1409.1556 (VGG).

    Args:
        plan: Channels of the convolutions, stage by stage.
        num_classes: C; 0 leaves the classifier out.
        in_chans: Channels of the images.
        img_size: Their height and width, or one number for both.
        pool: ``max`` or ``avg``.
        dense_layers: 1 or 2.
        hidden_features: Width of the first of two dense layers; None: 128.
        out_channels: Channels of the last convolution, where they differ from the plan's.
        drop_rate: Share of the classifier's inputs that are dropped in training.

    Raises:
        RecipeError: A setting that does not exist, or images too small for the pools.
    """

    def __init__(  # noqa: PLR0913 - timm's models take their settings as flat keywords
        self,
        plan: Plan,
        *,
        num_classes: int = 3,
        in_chans: int = 1,
        img_size: int | tuple[int, int] = 224,
        pool: str = "max",
        dense_layers: int = 1,
        hidden_features: int | None = None,
        out_channels: int | None = None,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        plan = _with_out_channels(plan, out_channels)
        self.image_shape = image_shape(in_chans, img_size)
        height, width = _map_size(self.image_shape, len(plan))
        self.num_classes, self.in_chans = num_classes, in_chans
        self.num_features = plan[-1][-1]
        self.stages = _stages(plan, in_chans, pool)
        self.feature_info = [
            {"num_chs": channels[-1], "reduction": 2 ** (index + 1), "module": f"stages.{index}"}
            for index, channels in enumerate(plan)
        ]
        self.head = DenseHead(
            self.num_features * height * width,
            num_classes,
            dense_layers=dense_layers,
            hidden_features=hidden_features,
            drop_rate=drop_rate,
        )
        self.head_hidden_size = self.head.num_features
        initialise_convolutions(self)

    def get_classifier(self) -> nn.Module:
        """The last dense layer."""
        return self.head.fc

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Put a new last layer of ``num_classes`` outputs in place.

        Raises:
            RecipeError: ``global_pool`` is given: the map is flattened, there is nothing to choose.
        """
        refuse_global_pool(global_pool)
        self.num_classes = num_classes
        self.head.reset(num_classes, like=next(self.parameters()))

    def group_matcher(self, *, coarse: bool = False) -> dict[str, str]:  # noqa: ARG002 - timm's signature
        """Patterns by which timm's optimizers tell layers apart."""
        return {"stem": r"^stages\.0", "blocks": r"^stages\.(\d+)"}

    def set_grad_checkpointing(self, *, enable: bool = True) -> None:
        """Refuse to trade time for memory.

        Raises:
            RecipeError: ``enable`` is true.
        """
        if enable:
            raise RecipeError(f"{type(self).__name__} has no gradient checkpointing: choose a smaller batch")

    def forward_features(self, images: Tensor) -> Tensor:
        """Images (B, channels, H, W) to the last stage's map, (B, num_features, H', W')."""
        refuse_other_shape(images, self.image_shape)
        features: Tensor = self.stages(images)
        return features

    def forward_head(self, features: Tensor, *, pre_logits: bool = False) -> Tensor:
        """The last stage's map to logits (B, C), or with ``pre_logits`` to what the classifier would read."""
        logits: Tensor = self.head(features.flatten(1), pre_logits=pre_logits)
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, channels, H, W) to logits (B, C)."""
        return self.forward_head(self.forward_features(images))


def build_convolutional(name: str, plan: Plan, *, pretrained: bool, **kwargs: Any) -> ConvolutionalNet:
    """Make the network that timm knows as ``name``, by timm's own builder (``features_only`` works)."""
    model: ConvolutionalNet = build_model_with_cfg(
        ConvolutionalNet,
        name,
        pretrained,
        plan=plan,
        feature_cfg={"flatten_sequential": True, "out_indices": tuple(range(len(plan)))},
        **kwargs,
    )
    return model


def initialise_convolutions(model: nn.Module) -> None:
    """Draw the weights of all convolutions of ``model`` for ReLUs; batch norms start as the identity already."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def convolution_block(in_channels: int, out_channels: int) -> list[nn.Module]:
    """3 × 3 convolution, batch norm, ReLU: height and width stay."""
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]


def refuse_global_pool(global_pool: str | None) -> None:
    """Answer timm's second argument of ``reset_classifier``.

    Raises:
        RecipeError: It is anything but None.
    """
    if global_pool is not None:
        raise RecipeError(f"this network has no global pooling to set to {global_pool!r}: leave global_pool out")


def _with_out_channels(plan: Plan, out_channels: int | None) -> Plan:
    if out_channels is None:
        return plan
    if out_channels < 1:
        raise RecipeError(f"model.args.out_channels: expected a number of channels, 1 or more, got {out_channels!r}")
    return (*plan[:-1], (*plan[-1][:-1], out_channels))


def _map_size(shape: tuple[int, int, int], n_pools: int) -> tuple[int, int]:
    """Height and width after ``n_pools`` halvings."""
    _, height, width = shape
    least = 2**n_pools
    if min(height, width) < least:
        raise RecipeError(
            f"data.image_size: this network halves the image {n_pools} times, so it needs at least {least} pixels a "
            f"side, got {height} × {width} (height × width)"
        )
    return height // least, width // least


def _stages(plan: Plan, in_channels: int, pool: str) -> nn.Sequential:
    if pool not in _POOLS:
        raise RecipeError(f"model.pool: expected max or avg, got {pool!r}")
    stages = []
    for stage in plan:
        stages.append(nn.Sequential(*_blocks(in_channels, stage), _POOLS[pool](kernel_size=2)))
        in_channels = stage[-1]
    return nn.Sequential(*stages)


def _blocks(in_channels: int, stage: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for out_channels in stage:
        layers += convolution_block(in_channels, out_channels)
        in_channels = out_channels
    return layers
