"""What a built network is, in the few words and numbers that a table of members shows."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from ensemble.models.convolutional import ConvolutionalNet
from ensemble.models.dense_head import DenseHead

# Their weights may have two axes, but they multiply number by number, or look rows up.
_NO_LAYERS = (nn.LayerNorm, nn.RMSNorm, nn.Embedding)


@dataclass(frozen=True)
class Description:
    """A network in numbers.

    Attributes:
        parameters: Trainable numbers.
        weight_layers: Layers with a matrix of weights: convolutions, dense and recurrent ones; see ``weight_layers``.
        pool: ``max`` or ``avg``, where the pooling layers' kind is a setting; None where it is not.
        dense_layers: At the end, where their number is a setting; None where it is not.
    """

    parameters: int
    weight_layers: int
    pool: str | None
    dense_layers: int | None


def describe_model(model: nn.Module) -> Description:
    """Count what ``model`` holds."""
    return Description(
        parameters=sum(weight.numel() for weight in model.parameters() if weight.requires_grad),
        weight_layers=weight_layers(model),
        pool=_pool(model),
        dense_layers=_dense_layers(model),
    )


def weight_layers(model: nn.Module) -> int:
    """How many layers hold a matrix of weights.

    Convolutions and dense layers count, and recurrent layers once for each layer, whatever their directions.
    Normalisation, embeddings and pools do not. Every such module counts, those on shortcuts too: ResNet-18 has 21.
    """
    return sum(_layers_in(module) for module in model.modules())


def _layers_in(module: nn.Module) -> int:
    if isinstance(module, nn.RNNBase):
        return module.num_layers
    weight = getattr(module, "weight", None)
    is_matrix = isinstance(weight, nn.Parameter) and weight.dim() >= 2
    return int(is_matrix and not isinstance(module, _NO_LAYERS))


def _pool(model: nn.Module) -> str | None:
    if not isinstance(model, ConvolutionalNet):
        return None
    return "avg" if any(isinstance(module, nn.AvgPool2d) for module in model.stages.modules()) else "max"


def _dense_layers(model: nn.Module) -> int | None:
    head = getattr(model, "head", None)
    if not isinstance(head, DenseHead):
        return None
    return 1 if isinstance(head.hidden, nn.Identity) else 2
