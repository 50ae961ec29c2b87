"""Writes test/fixtures/zoo/NAME.json.gz: what PyTorch gives for networks of this package, for test/families.test.ts.

    python3 scripts/golden.py [NAME...]     (torch 1.13, torchvision 0.14, numpy)

No weights are stored. Every parameter and the input follow from a name, a shape and one number a network, `gain` (`values`
below; src/golden.ts computes the same). The reference is a float64 run of the float32 weights; beside it stands the error of
PyTorch's own float32 run. Networks that torchvision lacks are defined in golden_networks.py.
"""

import base64
import gzip
import json
import math
import pathlib
import sys

import numpy as np
import torch
import torchvision.models as tv
from torch import nn

from golden_networks import (
    AlexNetUngrouped,
    BnInception,
    Cifar,
    ConvNetCourse,
    GoogLeNet2014,
    InceptionResNetV2,
    LeNet5Course,
    MobileNetV1,
    NinCifar,
    Plain,
    resnet50_of_the_paper,
)

FIXTURES = pathlib.Path(__file__).parent.parent / "test" / "fixtures"


# Values from names


def noise(name, count):
    """`count` numbers in [-1, 1) that follow from the name: FNV-1a gives the seed of a 32-bit hash of the position."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    with np.errstate(over="ignore"):
        x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(seed)
        x = (x ^ x >> np.uint32(16)) * np.uint32(0x7FEB352D)
        x = (x ^ x >> np.uint32(15)) * np.uint32(0x846CA68B)
        x = x ^ x >> np.uint32(16)
    return x / 2.0**31 - 1


def values(name, shape, gain):
    """The value of a parameter, a buffer or the input."""
    leaf = name.split(".")[-1]
    if leaf == "num_batches_tracked":
        return torch.tensor(0)
    count = math.prod(shape)
    u = noise(name, count)
    if leaf == "running_var":
        u = 1 + 0.2 * np.abs(u)
    elif leaf == "layer_scale":
        u = 0.5 + 0.1 * u
    elif leaf == "input":
        u = 1.5 * u
    elif leaf == "weight" and len(shape) >= 2:
        u = u * (gain * math.sqrt(3 / (count // shape[0])))
    elif leaf == "weight":
        u = 1 + 0.1 * u
    else:
        u = 0.1 * u
    return torch.from_numpy(u.astype(np.float32).reshape(shape))


# What is written: how a network is made, its gain, the side of the images it was designed for, the input's height and width.
# A gain is right where logits depend on the input and not on biases alone, and rounding does not grow from layer to layer.

ODD = (65, 97)
CIFAR = (37, 45)

networks = {
    "alexnet_original_ungrouped": (AlexNetUngrouped, math.sqrt(2), 227, (227, 227)),
    "bn_inception": (BnInception, 1.5, 224, ODD),
    "convnet_course": (ConvNetCourse, math.sqrt(2), 39, (39, 39)),
    "convnext_small": (tv.convnext_small, math.sqrt(2), 224, ODD),
    "densenet121": (tv.densenet121, 1.5, 224, ODD),
    "densenet169": (tv.densenet169, 1.5, 224, ODD),
    "densenet201": (tv.densenet201, 1.5, 224, ODD),
    "efficientnet_b3": (tv.efficientnet_b3, 1.55, 300, ODD),
    "efficientnet_b4": (tv.efficientnet_b4, 1.55, 380, ODD),
    "efficientnet_b5": (tv.efficientnet_b5, 1.51, 456, ODD),
    "efficientnet_b6": (tv.efficientnet_b6, 1.47, 528, ODD),
    "efficientnet_b7": (tv.efficientnet_b7, 1.43, 600, ODD),
    "googlenet_2014": (GoogLeNet2014, 1.3, 224, ODD),
    "inception_resnet_v2": (InceptionResNetV2, 1.3, 299, (97, 129)),
    "lenet5_course": (LeNet5Course, math.sqrt(2), 32, (32, 32)),
    "mobilenet_v1_0.75_224": (lambda: MobileNetV1(0.75, keras=True), 1.5, 224, ODD),
    "mobilenet_v3_small": (tv.mobilenet_v3_small, 1.45, 224, ODD),
    "nin_cifar": (NinCifar, 1.2, 32, CIFAR),
    "plain18": (lambda: Plain([2, 2, 2, 2]), 1.5, 224, ODD),
    "plain34": (lambda: Plain([3, 4, 6, 3]), 1.5, 224, ODD),
    "regnet_y_800mf": (tv.regnet_y_800mf, 1.0, 224, ODD),
    "regnet_y_1_6gf": (tv.regnet_y_1_6gf, 1.0, 224, ODD),
    "resnet34": (tv.resnet34, 1.0, 224, ODD),
    "resnet101": (tv.resnet101, 1.0, 224, ODD),
    "resnext50_32x4d": (tv.resnext50_32x4d, 1.1, 224, ODD),
    "resnext101_32x8d": (tv.resnext101_32x8d, 1.0, 224, ODD),
    "shufflenet_v2_x0_5": (tv.shufflenet_v2_x0_5, 1.4, 224, ODD),
    "shufflenet_v2_x1_5": (tv.shufflenet_v2_x1_5, 1.4, 224, ODD),
    "shufflenet_v2_x2_0": (tv.shufflenet_v2_x2_0, 1.4, 224, ODD),
    "squeezenet1_0": (tv.squeezenet1_0, math.sqrt(2), 224, ODD),
    "vgg13": (tv.vgg13, math.sqrt(2), 224, ODD),
    "vgg13_bn": (tv.vgg13_bn, math.sqrt(2), 224, ODD),
    "vgg16_bn": (tv.vgg16_bn, math.sqrt(2), 224, ODD),
    "vgg19_bn": (tv.vgg19_bn, math.sqrt(2), 224, ODD),
    "wide_resnet50_2": (tv.wide_resnet50_2, 1.0, 224, ODD),
    "wide_resnet101_2": (tv.wide_resnet101_2, 1.0, 224, ODD),
}
for depth in (32, 44, 56):
    networks[f"plain{depth}_cifar"] = (lambda depth=depth: Cifar(depth, "none"), 1.6, 32, CIFAR)
for depth in (32, 44, 110):
    networks[f"resnet{depth}_cifar"] = (lambda depth=depth: Cifar(depth, "A"), 1.0, 32, CIFAR)
for width in (0.25, 0.5, 0.75):
    networks[f"mobilenet_v1_{width}"] = (lambda width=width: MobileNetV1(width), 1.5, 224, ODD)
for width in (0.35, 0.5, 0.75, 1.4):
    networks[f"mobilenet_v2_{width}"] = (lambda width=width: tv.mobilenet_v2(width_mult=width), 1.3, 224, ODD)

# Networks with an option that is not the default, for tests of their own, beside the folder of the others.
variants = {
    f"resnet20_cifar.{shortcut}": (lambda shortcut=shortcut: Cifar(20, shortcut), math.sqrt(2), 32, CIFAR)
    for shortcut in ("A-centred", "B")
}
variants["resnet50.1x1"] = (resnet50_of_the_paper, math.sqrt(2), 224, ODD)


def fill(model, gain):
    state = model.state_dict()
    model.load_state_dict({name: values(name, tuple(value.shape), gain) for name, value in state.items()})
    return model.eval()


def multiply_adds(model, size):
    """Of convolutions and linear layers, for one image, from shapes alone."""
    total = 0

    def count(module, _, output):
        nonlocal total
        total += output[0].numel() * module.weight[0].numel()

    hooks = [
        module.register_forward_hook(count)
        for module in model.modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    ]
    with torch.no_grad():
        model(torch.empty(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return total


def stages(model, x):
    """The output for x, and those of the modules at depth 1 that compute on tensors of 4 dimensions."""
    seen = []

    def see(name):
        def hook(_, inputs, output):
            if output.dim() == 4:
                seen.append((name, output.clone()))

        return hook

    hooks = [module.register_forward_hook(see(name)) for name, module in model.named_children()]
    with torch.no_grad():
        y = model(x)
    for hook in hooks:
        hook.remove()
    return y, seen


def checkpoint(name, output):
    flat = output.flatten()
    idx = [round(i) for i in np.linspace(0, flat.numel() - 1, 8)]
    return {
        "module": name,
        "shape": list(output.shape),
        "absmax": float(f"{flat.abs().max():.9g}"),
        "idx": idx,
        "at_idx": [float(f"{flat[i]:.9g}") for i in idx],
    }


def golden(name, make, gain, size, spatial):
    shape = (1, 3, *spatial)
    model = fill(make(), gain)
    macs = multiply_adds(model, size)
    x = values("input", shape, gain)
    with torch.no_grad():
        single = model(x).double()
    y, seen = stages(model.double(), x.double())
    error = ((single - y).square().mean() / y.square().mean()).sqrt().item()
    other, _ = stages(model, -x.double())
    change = ((y - other).square().mean() / y.square().mean()).sqrt()
    print(f"{name}: float32 differs by {error:.2g}, with the input's sign changed logits by {change:.2g}")
    # The last bits of a float64 do not compress: what a float32 holds is exact enough, at 20 times less than the tolerance.
    rounded = y.float().double().numpy()
    return {
        "arch": name,
        "source": "scripts/golden.py",
        "gain": gain,
        "params": sum(p.numel() for p in model.parameters()),
        "macs": macs,
        "state_dict": [[key, list(value.shape)] for key, value in model.state_dict().items()],
        "parameters": [key for key, _ in model.named_parameters()],
        "cases": [
            {
                "input": {"name": "input", "shape": shape},
                "output": {
                    "f64_b64": base64.b64encode(rounded.astype("<f8").tobytes()).decode(),
                    "torch_f32_rel_rms_err": float(f"{error:.3g}"),
                },
                "checkpoints": [checkpoint(*each) for each in seen],
            }
        ],
    }


def write(file, content):
    text = json.dumps(content, separators=(",", ":")).encode()
    file.write_bytes(gzip.compress(text, 9, mtime=0))


if __name__ == "__main__":
    torch.set_num_threads(1)
    wanted = sys.argv[1:] or [*networks, *variants]
    for name in wanted:
        if name in networks:
            write(FIXTURES / "zoo" / f"{name}.json.gz", golden(name, *networks[name]))
        else:
            write(FIXTURES / f"{name}.json.gz", golden(name, *variants[name]))
