"""Networks that torchvision lacks, for golden.py: from the papers' tables, under the names of the weights that go round."""

import torch
import torch.nn.functional as F
import torchvision.models as tv
from torch import nn


class Block(nn.Module):
    """Two 3x3 convolutions (He et al. 2015, arXiv:1512.03385, figure 5), and a shortcut or none."""

    def __init__(self, channels_in, channels, stride, shortcut):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut, self.stride, self.more = shortcut, stride, channels - channels_in
        if shortcut == "B" and self.more:
            project = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(project, nn.BatchNorm2d(channels))

    def beside(self, x):
        if self.shortcut == "none":
            return 0
        if not self.more:
            return x
        if self.shortcut == "B":
            return self.downsample(x)
        before = self.more // 2 if self.shortcut == "A-centred" else 0
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.more - before))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.beside(x))


def layer(channels_in, channels, stride, count, shortcut):
    blocks = [Block(channels_in, channels, stride, shortcut)]
    blocks += [Block(channels, channels, 1, shortcut) for _ in range(count - 1)]
    return nn.Sequential(*blocks)


class Cifar(nn.Module):
    """6n + 2 layers for 32x32 images (section 4.2)."""

    def __init__(self, depth, shortcut):
        super().__init__()
        count = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = layer(16, 16, 1, count, shortcut)
        self.layer2 = layer(16, 32, 2, count, shortcut)
        self.layer3 = layer(32, 64, 2, count, shortcut)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


class Plain(nn.Module):
    """ResNet-18 and 34 without shortcuts (table 1, section 4.1)."""

    def __init__(self, counts):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = layer(64, 64, 1, counts[0], "none")
        self.layer2 = layer(64, 128, 2, counts[1], "none")
        self.layer3 = layer(128, 256, 2, counts[2], "none")
        self.layer4 = layer(256, 512, 2, counts[3], "none")
        self.fc = nn.Linear(512, 1000)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def resnet50_of_the_paper():
    """torchvision's ResNet-50, but that the first 1x1 convolution of a bottleneck halves height and width (table 1)."""
    model = tv.resnet50()
    for stage in (model.layer2, model.layer3, model.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    return model


class AlexNetUngrouped(nn.Module):
    """Krizhevsky et al. 2012, section 3.5, as one tower whose convolutions see all channels; 227x227 images."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 11, 4)
        self.conv2 = nn.Conv2d(96, 256, 5, 1, 2)
        self.conv3 = nn.Conv2d(256, 384, 3, 1, 1)
        self.conv4 = nn.Conv2d(384, 384, 3, 1, 1)
        self.conv5 = nn.Conv2d(384, 256, 3, 1, 1)
        self.fc6 = nn.Linear(9216, 4096)
        self.fc7 = nn.Linear(4096, 4096)
        self.fc8 = nn.Linear(4096, 1000)

    def forward(self, x):
        def normalized(y):
            return F.max_pool2d(F.local_response_norm(y, 5, 1e-4, 0.75, 2.0), 3, 2)

        x = normalized(F.relu(self.conv1(x)))
        x = normalized(F.relu(self.conv2(x)))
        x = F.relu(self.conv4(F.relu(self.conv3(x))))
        x = F.max_pool2d(F.relu(self.conv5(x)), 3, 2)
        return self.fc8(F.relu(self.fc7(F.relu(self.fc6(x.flatten(1))))))


class NinCifar(nn.Module):
    """Network in network for 32x32 images (Lin et al. 2013, arXiv:1312.4400) with Caffe's layers and rounding of pools."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 192, 5, 1, 2)
        self.cccp1 = nn.Conv2d(192, 160, 1)
        self.cccp2 = nn.Conv2d(160, 96, 1)
        self.conv2 = nn.Conv2d(96, 192, 5, 1, 2)
        self.cccp3 = nn.Conv2d(192, 192, 1)
        self.cccp4 = nn.Conv2d(192, 192, 1)
        self.conv3 = nn.Conv2d(192, 192, 3, 1, 1)
        self.cccp5 = nn.Conv2d(192, 192, 1)
        self.cccp6 = nn.Conv2d(192, 10, 1)

    def forward(self, x):
        for name, module in self.named_children():
            x = F.relu(module(x))
            if name == "cccp2":
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            if name == "cccp4":
                x = F.avg_pool2d(x, 3, 2, ceil_mode=True)
        return x.mean((2, 3))


class LeNet5Course(nn.Module):
    """The course's table of 62,958 parameters; 32x32 RGB images."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 5)
        self.conv2 = nn.Conv2d(8, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


class ConvNetCourse(nn.Module):
    """The course's example of three convolutions and a logistic unit; 39x39 RGB images."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 10, 3)
        self.conv2 = nn.Conv2d(10, 20, 5, 2)
        self.conv3 = nn.Conv2d(20, 40, 5, 2)
        self.fc = nn.Linear(1960, 1)

    def forward(self, x):
        x = F.relu(self.conv3(F.relu(self.conv2(F.relu(self.conv1(x))))))
        return self.fc(x.flatten(1))


class Unit(nn.Module):
    """A convolution `conv`, batch normalisation `bn` (or a bias instead) and a ReLU, as the Inception networks have them."""

    def __init__(self, channels_in, channels, kernel, stride=1, padding=None, normalized=True):
        super().__init__()
        height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        padding = ((height - 1) // 2, (width - 1) // 2) if padding is None else padding
        self.conv = nn.Conv2d(channels_in, channels, (height, width), stride, padding, bias=not normalized)
        if normalized:
            self.bn = nn.BatchNorm2d(channels, eps=1e-3)
        self.normalized = normalized

    def forward(self, x):
        y = self.conv(x)
        return F.relu(self.bn(y) if self.normalized else y)


class Branches(nn.Module):
    """Modules side by side, `branch0` or `branch1` the first, whose outputs are joined."""

    def __init__(self, *branches, first=0):
        super().__init__()
        for number, branch in enumerate(branches, first):
            self.add_module(f"branch{number}", branch)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.children()], 1)


class GoogLeNet2014(nn.Module):
    """Szegedy et al. 2014, arXiv:1409.4842, table 1: with 5x5 convolutions, biases and response normalisation."""

    # Channels in; 1x1; 3x3 reduced, 3x3; 5x5 reduced, 5x5; after the pool.
    TABLE = {
        "inception3a": (192, 64, 96, 128, 16, 32, 32),
        "inception3b": (256, 128, 128, 192, 32, 96, 64),
        "inception4a": (480, 192, 96, 208, 16, 48, 64),
        "inception4b": (512, 160, 112, 224, 24, 64, 64),
        "inception4c": (512, 128, 128, 256, 24, 64, 64),
        "inception4d": (512, 112, 144, 288, 32, 64, 64),
        "inception4e": (528, 256, 160, 320, 32, 128, 128),
        "inception5a": (832, 256, 160, 320, 32, 128, 128),
        "inception5b": (832, 384, 192, 384, 48, 128, 128),
    }

    class Auxiliary(nn.Module):
        """Used in training only."""

        def __init__(self, channels):
            super().__init__()
            self.conv = Unit(channels, 128, 1, normalized=False)
            self.fc1 = nn.Linear(2048, 1024)
            self.fc2 = nn.Linear(1024, 1000)

    def __init__(self):
        super().__init__()

        def unit(*arguments):
            return Unit(*arguments, normalized=False)

        self.conv1 = unit(3, 64, 7, 2)
        self.conv2 = unit(64, 64, 1)
        self.conv3 = unit(64, 192, 3)
        for name, (inputs, one, reduced, three, narrow, five, pooled) in self.TABLE.items():
            block = Branches(
                unit(inputs, one, 1),
                nn.Sequential(unit(inputs, reduced, 1), unit(reduced, three, 3)),
                nn.Sequential(unit(inputs, narrow, 1), unit(narrow, five, 5)),
                nn.Sequential(nn.MaxPool2d(3, 1, 1), unit(inputs, pooled, 1)),
                first=1,
            )
            self.add_module(name, block)
        self.aux1 = self.Auxiliary(512)
        self.aux2 = self.Auxiliary(528)
        self.fc = nn.Linear(1024, 1000)

    def forward(self, x):
        def pool(y):
            return F.max_pool2d(y, 3, 2, ceil_mode=True)

        def norm(y):
            return F.local_response_norm(y, 5, 1e-4, 0.75, 1.0)

        x = norm(pool(self.conv1(x)))
        x = pool(norm(self.conv3(self.conv2(x))))
        for name in self.TABLE:
            x = getattr(self, name)(x)
            if name in ("inception3b", "inception4e"):
                x = pool(x)
        return self.fc(x.mean((2, 3)))


class BnInception(nn.Module):
    """Ioffe and Szegedy 2015, arXiv:1502.03167, appendix, under the flat names of the Caffe network."""

    # Channels of: 1x1; 3x3 reduced, 3x3; double 3x3 reduced, twice 3x3; the pool's kind; after the pool. Without 1x1 a
    # block halves height and width.
    TABLE = {
        "3a": (64, 64, 64, 64, 96, "average", 32),
        "3b": (64, 64, 96, 64, 96, "average", 64),
        "3c": (0, 128, 160, 64, 96, "max", 0),
        "4a": (224, 64, 96, 96, 128, "average", 128),
        "4b": (192, 96, 128, 96, 128, "average", 128),
        "4c": (160, 128, 160, 128, 160, "average", 128),
        "4d": (96, 128, 192, 160, 192, "average", 128),
        "4e": (0, 128, 192, 192, 256, "max", 0),
        "5a": (352, 192, 320, 160, 224, "average", 128),
        "5b": (352, 192, 320, 192, 224, "max", 128),
    }

    def __init__(self):
        super().__init__()
        self.unit("conv1_7x7_s2", 3, 64, 7, 2)
        self.unit("conv2_3x3_reduce", 64, 64, 1)
        self.unit("conv2_3x3", 64, 192, 3)
        channels = 192
        for name, (one, reduced, three, narrow, double, _, pooled) in self.TABLE.items():
            prefix = f"inception_{name}"
            stride = 1 if one else 2
            if one:
                self.unit(f"{prefix}_1x1", channels, one, 1)
            self.unit(f"{prefix}_3x3_reduce", channels, reduced, 1)
            self.unit(f"{prefix}_3x3", reduced, three, 3, stride)
            self.unit(f"{prefix}_double_3x3_reduce", channels, narrow, 1)
            self.unit(f"{prefix}_double_3x3_1", narrow, double, 3)
            self.unit(f"{prefix}_double_3x3_2", double, double, 3, stride)
            if pooled:
                self.unit(f"{prefix}_pool_proj", channels, pooled, 1)
            channels = one + three + double + (pooled or channels)
        self.last_linear = nn.Linear(1024, 1000)

    def unit(self, name, channels_in, channels, kernel, stride=1):
        self.add_module(name, nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2))
        self.add_module(f"{name}_bn", nn.BatchNorm2d(channels))

    def run(self, x, *names):
        for name in names:
            x = F.relu(getattr(self, f"{name}_bn")(getattr(self, name)(x)))
        return x

    def forward(self, x):
        def halved(y):
            return F.max_pool2d(y, 3, 2, ceil_mode=True)

        x = halved(self.run(x, "conv1_7x7_s2"))
        x = halved(self.run(x, "conv2_3x3_reduce", "conv2_3x3"))
        for name, (one, _, _, _, _, kind, pooled) in self.TABLE.items():
            prefix = f"inception_{name}"
            outputs = [self.run(x, f"{prefix}_1x1")] if one else []
            outputs.append(self.run(x, f"{prefix}_3x3_reduce", f"{prefix}_3x3"))
            double = [f"{prefix}_double_3x3_{part}" for part in ("reduce", "1", "2")]
            outputs.append(self.run(x, *double))
            if pooled:
                pool = F.max_pool2d if kind == "max" else F.avg_pool2d
                outputs.append(self.run(pool(x, 3, 1, 1), f"{prefix}_pool_proj"))
            else:
                outputs.append(halved(x))
            x = torch.cat(outputs, 1)
        return self.last_linear(x.mean((2, 3)))


class ScaledResidual(nn.Module):
    """scale * conv2d(branches(x)) + x, and a ReLU where it is activated."""

    def __init__(self, scale, branches, joined, channels, activated=True):
        super().__init__()
        self.scale, self.count, self.activated = scale, len(branches), activated
        for number, branch in enumerate(branches):
            self.add_module(f"branch{number}", branch)
        self.conv2d = nn.Conv2d(joined, channels, 1)

    def forward(self, x):
        outputs = [getattr(self, f"branch{number}")(x) for number in range(self.count)]
        y = self.scale * self.conv2d(torch.cat(outputs, 1)) + x
        return F.relu(y) if self.activated else y


class InceptionResNetV2(nn.Module):
    """Szegedy et al. 2016, arXiv:1602.07261, with the channels of TensorFlow's release and timm's names."""

    def __init__(self):
        super().__init__()

        def block35():
            branches = [
                Unit(320, 32, 1),
                nn.Sequential(Unit(320, 32, 1), Unit(32, 32, 3)),
                nn.Sequential(Unit(320, 32, 1), Unit(32, 48, 3), Unit(48, 64, 3)),
            ]
            return ScaledResidual(0.17, branches, 128, 320)

        def block17():
            factored = nn.Sequential(Unit(1088, 128, 1), Unit(128, 160, (1, 7)), Unit(160, 192, (7, 1)))
            return ScaledResidual(0.1, [Unit(1088, 192, 1), factored], 384, 1088)

        def block8(scale, activated):
            factored = nn.Sequential(Unit(2080, 192, 1), Unit(192, 224, (1, 3)), Unit(224, 256, (3, 1)))
            return ScaledResidual(scale, [Unit(2080, 192, 1), factored], 448, 2080, activated)

        self.conv2d_1a = Unit(3, 32, 3, 2, 0)
        self.conv2d_2a = Unit(32, 32, 3, 1, 0)
        self.conv2d_2b = Unit(32, 64, 3)
        self.maxpool_3a = nn.MaxPool2d(3, 2)
        self.conv2d_3b = Unit(64, 80, 1)
        self.conv2d_4a = Unit(80, 192, 3, 1, 0)
        self.maxpool_5a = nn.MaxPool2d(3, 2)
        self.mixed_5b = Branches(
            Unit(192, 96, 1),
            nn.Sequential(Unit(192, 48, 1), Unit(48, 64, 5)),
            nn.Sequential(Unit(192, 64, 1), Unit(64, 96, 3), Unit(96, 96, 3)),
            nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), Unit(192, 64, 1)),
        )
        self.repeat = nn.Sequential(*[block35() for _ in range(10)])
        self.mixed_6a = Branches(
            Unit(320, 384, 3, 2, 0),
            nn.Sequential(Unit(320, 256, 1), Unit(256, 256, 3), Unit(256, 384, 3, 2, 0)),
            nn.MaxPool2d(3, 2),
        )
        self.repeat_1 = nn.Sequential(*[block17() for _ in range(20)])
        self.mixed_7a = Branches(
            nn.Sequential(Unit(1088, 256, 1), Unit(256, 384, 3, 2, 0)),
            nn.Sequential(Unit(1088, 256, 1), Unit(256, 288, 3, 2, 0)),
            nn.Sequential(Unit(1088, 256, 1), Unit(256, 288, 3), Unit(288, 320, 3, 2, 0)),
            nn.MaxPool2d(3, 2),
        )
        self.repeat_2 = nn.Sequential(*[block8(0.2, True) for _ in range(9)])
        self.block8 = block8(1.0, False)
        self.conv2d_7b = Unit(2080, 1536, 1)
        self.classif = nn.Linear(1536, 1000)

    def forward(self, x):
        *features, classifier = self.children()
        for module in features:
            x = module(x)
        return classifier(x.mean((2, 3)))


def padded_for(conv, x):
    """Zeros as TensorFlow's SAME adds them: outputs are ceil(size / stride), the odd zero is at the bottom and at the right."""
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    height, width = [max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[2:]]
    return F.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2))


class MobileNetV1(nn.Module):
    """Howard et al. 2017, arXiv:1704.04861, table 1. From Keras: padded as TensorFlow does, ReLU6, epsilon 1e-3."""

    LAYERS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]

    class Layer(nn.Module):
        def __init__(self, keras):
            super().__init__()
            self.keras = keras

        def add(self, conv, norm, channels_in, channels, kernel, stride=1, groups=1):
            padding = 0 if self.keras else kernel // 2
            self.add_module(conv, nn.Conv2d(channels_in, channels, kernel, stride, padding, groups=groups, bias=False))
            self.add_module(norm, nn.BatchNorm2d(channels, eps=1e-3 if self.keras else 1e-5))

        def forward(self, x):
            modules = list(self.children())
            for conv, norm in zip(modules[::2], modules[1::2]):
                y = norm(conv(padded_for(conv, x) if self.keras else x))
                x = F.relu6(y) if self.keras else F.relu(y)
            return x

    def __init__(self, width, keras=False):
        super().__init__()
        channels = int(32 * width)
        stem = self.Layer(keras)
        stem.add("conv", "bn", 3, channels, 3, 2)
        layers = [stem]
        for full, stride in self.LAYERS:
            outputs = int(full * width)
            layer = self.Layer(keras)
            layer.add("dw", "dw_bn", channels, channels, 3, stride, channels)
            layer.add("pw", "pw_bn", channels, outputs, 1)
            layers.append(layer)
            channels = outputs
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, 1000)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))
