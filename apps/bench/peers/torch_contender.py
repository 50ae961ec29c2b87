"""PyTorch as a contender of the benchmarks, driven over stdin and stdout.

A request is a line of JSON, with raw float32 inputs behind it where it says `inputs`: [{name, shape}]. An answer is a line of
JSON, with `bytes` of raw float32 behind it where it says so. Times are taken here, so that talking is no part of them.
"""

import json
import math
import signal
import sys
import time

import torch
import torch.nn.functional as F

requests, answers = sys.stdin.buffer, sys.stdout.buffer


def read_inputs(inputs):
    tensors = {}
    for entry in inputs:
        shape = entry["shape"]
        data = bytearray(requests.read(4 * math.prod(shape)))
        tensors[entry["name"]] = torch.frombuffer(data, dtype=torch.float32).reshape(shape)
    return tensors


def kernel(work, t):
    kind = work["kind"]
    if kind == "gemm":
        return lambda: torch.matmul(t["a"], t["b"])
    if kind == "conv":
        stride, padding = work["stride"], work["padding"]
        return lambda: F.conv2d(t["x"], t["weight"], stride=stride, padding=padding)
    if kind == "depthwise":
        padding, groups = work["kernelSize"] // 2, work["channels"]
        return lambda: F.conv2d(t["x"], t["weight"], padding=padding, groups=groups)
    if kind == "block":
        groups = work["expanded"]

        def block():
            wide = F.relu6(F.conv2d(t["x"], t["expand"], t["expandBias"]))
            mixed = F.relu6(F.conv2d(wide, t["depthwise"], t["depthwiseBias"], padding=1, groups=groups))
            return F.conv2d(mixed, t["project"], t["projectBias"])

        return block
    if kind == "elementwise":
        return lambda: F.gelu(t["x"], approximate="tanh")
    if kind == "softmax":
        return lambda: F.softmax(t["x"], dim=1)
    if kind == "batchnorm":
        return lambda: F.batch_norm(t["x"], t["mean"], t["variance"], t["weight"], t["bias"], eps=1e-5)
    if kind == "chain":
        return lambda: chain(t["x"], work["ops"])
    return None


def chain(x, ops):
    for i in range(ops):
        x = torch.abs(x) if i % 2 == 1 else torch.neg(x)
    return x


def lenet5(x, p, _blocks):
    x = F.max_pool2d(F.relu(F.conv2d(x, p["conv1.weight"], p["conv1.bias"], padding=2)), 2)
    x = F.max_pool2d(F.relu(F.conv2d(x, p["conv2.weight"], p["conv2.bias"])), 2).flatten(1)
    x = F.relu(F.linear(x, p["fc1.weight"], p["fc1.bias"]))
    x = F.relu(F.linear(x, p["fc2.weight"], p["fc2.bias"]))
    return F.linear(x, p["fc3.weight"], p["fc3.bias"])


def resnet20(x, p, blocks):
    def conv_norm(x, conv, norm, stride=1):
        y = F.conv2d(x, p[conv + ".weight"], stride=stride, padding=1)
        return F.batch_norm(y, None, None, p[norm + ".weight"], p[norm + ".bias"], training=True, eps=1e-5)

    x = F.relu(conv_norm(x, "conv1", "bn1"))
    for block in blocks:
        name, stride = block["name"], block["stride"]
        y = F.relu(conv_norm(x, name + ".conv1", name + ".bn1", stride))
        y = conv_norm(y, name + ".conv2", name + ".bn2")
        if stride == 2:
            zeros = (block["outChannels"] - block["inChannels"]) // 2
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, zeros, zeros))
        x = F.relu(y + x)
    return F.linear(x.mean(dim=(2, 3)), p["fc.weight"], p["fc.bias"])


class Kernel:
    def __init__(self, compute):
        self.compute = compute

    def run(self):
        with torch.inference_mode():
            return self.compute()

    result = run


class Training:
    """Its result is all parameters after one step, one after another."""

    networks = {"lenet5": lenet5, "resnet20": resnet20}

    def __init__(self, work, t):
        self.images, self.labels = t.pop("images"), t.pop("labels").long()
        self.parameters = {name: value.requires_grad_() for name, value in t.items()}
        self.optimizer = torch.optim.SGD(list(self.parameters.values()), lr=work["learningRate"])
        self.forward = self.networks[work["network"]]
        self.blocks = work["blocks"]

    def run(self):
        self.optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(self.forward(self.images, self.parameters, self.blocks), self.labels).backward()
        self.optimizer.step()

    def result(self):
        self.run()
        return torch.cat([value.detach().flatten() for value in self.parameters.values()])


tasks = {}


def answer(request):
    command = request["command"]
    if command == "hello":
        torch.set_num_threads(request["threads"])
        return {"version": torch.__version__, "threads": torch.get_num_threads()}, None
    if command == "prepare":
        tensors = read_inputs(request["inputs"])
        work = request["work"]
        tasks[request["task"]] = (
            Training(work, tensors) if work["kind"] == "training" else Kernel(kernel(work, tensors))
        )
        return {}, None
    task = tasks[request["task"]]
    if command == "time":
        started = time.perf_counter()
        for _ in range(request["runs"]):
            task.run()
        return {"milliseconds": (time.perf_counter() - started) * 1000}, None
    if command == "result":
        return {}, task.result().contiguous().numpy().tobytes()
    if command == "dispose":
        del tasks[request["task"]]
        return {}, None
    raise ValueError("unknown command " + command)


def main():
    # An interrupt from the terminal is the bench's to handle; the end of stdin ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in requests:
        try:
            header, data = answer(json.loads(line))
        except Exception as error:
            header, data = {"error": f"{type(error).__name__}: {error}"}, None
        if data is not None:
            header["bytes"] = len(data)
        answers.write(json.dumps(header).encode() + b"\n" + (data or b""))
        answers.flush()


main()
