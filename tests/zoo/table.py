"""The networks of the zoo, all with random weights: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from tests import networks
from tests.network import test_branches as branches
from tests.network import test_heads as heads
from tests.network import test_operations as operations
from tests.network import test_regions as regions

CLASSES = 10
TORCHVISION = (
    "alexnet vgg11 vgg16_bn resnet18 resnet34 resnet50 resnext50_32x4d wide_resnet50_2"
    " squeezenet1_0 squeezenet1_1 densenet121 densenet169 googlenet:96 inception_v3:128"
    " mobilenet_v2 mobilenet_v3_small mobilenet_v3_large mnasnet0_5 mnasnet1_0"
    " shufflenet_v2_x0_5 shufflenet_v2_x1_0 efficientnet_b0 efficientnet_v2_s regnet_x_400mf"
    " regnet_y_400mf convnext_tiny swin_t:128 swin_v2_t:128 maxvit_t:224 vit_b_16:224"
)
TIMM = (
    "resnet26d seresnet18 skresnet18 ecaresnet50t lambda_resnet26t res2net50_26w_4s"
    " resnest14d cspdarknet53 cspresnet50 dla34 hrnet_w18_small vovnet39a ese_vovnet19b_dw"
    " repvgg_a0 rexnet_100 ghostnet_100 mobilenetv3_small_100 mixnet_s efficientnet_b0"
    " tf_efficientnetv2_b0 tinynet_e hardcorenas_a fbnetc_100 spnasnet_100 mobileone_s0"
    " fastvit_t8:128 convnextv2_atto convmixer_768_32 xception41 inception_v4:160 nfnet_f0"
    " nf_resnet26 regnetz_b16 edgenext_xx_small mobilevit_xxs:128 poolformer_s12 pvt_v2_b0"
    " efficientformer_l1:224 efficientvit_m0:224 efficientvit_b0 xcit_nano_12_p16_224:224"
    " sequencer2d_s:224 crossvit_tiny_240:240 coat_tiny:224 swin_tiny_patch4_window7_224:224"
    " convit_tiny:224 beit_base_patch16_224:224 eva02_tiny_patch14_224:224"
    " deit_tiny_patch16_224:224 mambaout_femto focalnet_tiny_srf:128 inception_next_atto"
    " repghostnet_050 starnet_s1 dpn48b selecsls42 levit_128s:224 mixer_s32_224:224"
    " gmlp_ti16_224:224 resmlp_12_224:224 cait_xxs24_224:224 tiny_vit_5m_224:224"
    " deit_tiny_distilled_patch16_224:224 mobilevitv2_050:128 nextvit_small:128 mvitv2_tiny:224"
    " tnt_s_legacy_patch16_224:224 coatnet_pico_rw_224:224 maxvit_pico_rw_256:256"
    " hiera_tiny_224:224 volo_d1_224:224 swinv2_cr_tiny_ns_224:224 gcvit_xxtiny:224"
    " davit_tiny:128 twins_svt_small:224 visformer_tiny:224 pit_ti_distilled_224:224"
)
# What networks of Hugging Face call the sizes of one block.
BLOCK = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64,
    "image_size": 64, "patch_size": 8,
}  # fmt: skip
PYRAMID = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
WINDOWS = {
    "image_size": 64, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4,
}  # fmt: skip
HUGGING_FACE = {
    "ResNet": {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 24, 32, 48], "embedding_size": 16},
    "ConvNext": {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 24, 32, 48]},
    "ConvNextV2": {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 24, 32, 48]},
    "RegNet": {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 24, 32, 48], "groups_width": 8},
    "MobileNetV1": {"depth_multiplier": 0.25},
    "MobileNetV2": {"depth_multiplier": 0.35},
    "EfficientNet": {"width_coefficient": 0.5, "depth_coefficient": 0.5, "hidden_dim": 640},
    "PoolFormer": {"depths": [1, 1, 1, 1], "hidden_sizes": [16, 24, 32, 48]},
    "Bit": {"depths": [1, 1, 1, 1], "hidden_sizes": [128, 256, 384, 512], "embedding_size": 32},
    "SwiftFormer": {},
    "ViT": BLOCK,
    "DeiT": BLOCK,
    "Beit": BLOCK,
    "Dinov2": BLOCK,
    "Dinov2WithRegisters": BLOCK,
    "Swin": WINDOWS,
    "Swinv2": WINDOWS,
    "Hiera": {"image_size": [64, 64], "embed_dim": 16, "depths": [1, 1, 1, 1]},
    "Segformer": PYRAMID | {"num_attention_heads": [1, 2, 2, 4]},
    "Pvt": PYRAMID | {"num_attention_heads": [1, 2, 2, 4], "image_size": 64},
    "PvtV2": PYRAMID | {"num_attention_heads": [1, 2, 2, 4], "image_size": 64},
    "Cvt": {"embed_dim": [16, 32, 48], "num_heads": [1, 2, 3], "depth": [1, 2, 3]},
    "FocalNet": {"image_size": 64, "embed_dim": 16, "depths": [1, 1, 1, 1]},
    "Levit": {"image_size": 64},
    "MobileViT": {"image_size": 64, "hidden_sizes": [32, 48, 64]},
    "MobileViTV2": {"image_size": 64, "width_multiplier": 0.5},
}


@dataclass(frozen=True)
class ZooNetwork:
    """A network of the table: what makes it, and the side of the pictures it is shown."""

    family: str
    name: str
    make: Callable[[], nn.Module]
    size: int


def _torchvision(name: str) -> nn.Module:
    import torchvision

    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, weights=None, num_classes=CLASSES, **extra)


def _timm(name: str) -> nn.Module:
    import timm

    return timm.create_model(name, pretrained=False, num_classes=CLASSES)


def _hugging_face(name: str) -> nn.Module:
    import transformers

    config = getattr(transformers, f"{name}Config")(num_labels=CLASSES, **HUGGING_FACE[name])
    return getattr(transformers, f"{name}ForImageClassification")(config)


def _sized(text: str, size: int = 64) -> dict[str, int]:
    pairs = (word.partition(":") for word in text.split())
    return {name: int(own or size) for name, _, own in pairs}


def redrawn(network: nn.Module) -> nn.Module:
    """The network with its weights drawn, and no layer left at the zeros that it began with.

    Nor at the small numbers: what a block that is scaled by 1e-6 adds is lost in rounding.
    """
    draw = torch.Generator().manual_seed(0)
    for p in network.parameters():
        if float(p.detach().abs().max()) < 1e-3 or (p.ndim > 1 and float(p.detach().std()) < 1e-3):
            p.data = 0.05 * torch.randn(p.shape, generator=draw)
    return network.eval()


def large() -> list[ZooNetwork]:
    """Networks of torchvision, timm and Hugging Face."""
    sources = (
        ("torchvision", _torchvision, _sized(TORCHVISION)),
        ("timm", _timm, _sized(TIMM)),
        ("transformers", _hugging_face, dict.fromkeys(HUGGING_FACE, 64)),
    )
    return [
        ZooNetwork(family, name, partial(make, name), size)
        for family, make, sizes in sources
        for name, size in sizes.items()
    ]


def small() -> list[ZooNetwork]:
    """Small networks as people write them."""
    makes: dict[str, Callable[[], nn.Module]] = {
        "plain": networks.plain,
        "gelu": partial(networks.plain, activation=nn.GELU),
        "no bias": partial(networks.plain, bias=False),
    }
    own = (networks.OneStage, networks.Functional, networks.DataDependent, networks.Residual)
    many = (branches.Branched, branches.Siamese, branches.Joined, branches.TilesThenMap)
    for make in (*own, networks.Attentive, *operations.NETWORKS, *many):
        makes[make.__name__] = make
    makes |= {f"head: {name}": partial(heads.WithHead, head) for name, head in heads.HEADS.items()}
    for name in (
        "strides",
        "pad_reflect",
        "tiles",
        "attention",
        "squeeze",
        "blur",
        "roll",
        "bicubic",
    ):
        makes[f"between: {name}"] = partial(regions.Turned, regions.TURNS[name][0])
    return [ZooNetwork("small", name, make, 18) for name, make in makes.items()]
