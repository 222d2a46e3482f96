"""The networks and losses of the method in torch, written from the paper's program; weights are those of a model's
networks.safetensors."""

import math

import torch
import torch.nn.functional as f


class Weights:
    """Tensors by name, below a prefix."""

    def __init__(self, tensors, prefix=""):
        self.tensors, self.prefix = tensors, prefix

    def __getitem__(self, name):
        return self.tensors[self.prefix + name]

    def __contains__(self, name):
        return self.prefix + name in self.tensors

    def below(self, name):
        return Weights(self.tensors, f"{self.prefix}{name}.")


def same(x, kernel, stride):
    """Pads with zeros as TensorFlow's SAME does: the smaller half first."""
    pads = []
    for n in (x.shape[3], x.shape[2]):
        total = max((math.ceil(n / stride) - 1) * stride + kernel - n, 0)
        pads += [total // 2, total - total // 2]
    return f.pad(x, pads)


def he(w, x, stride=1, slope=0.2):
    """A convolution whose output is scaled by He's constant."""
    weight = w["weight"]
    scale = math.sqrt(2 / ((1 + slope ** 2) * weight[0].numel()))
    return f.conv2d(same(x, weight.shape[2], stride), weight * scale, w["bias"], stride)


def instance_norm(w, x):
    return f.instance_norm(x, weight=w["weight"], bias=w["bias"], eps=1e-5)


def pixel_norm(x):
    return x / torch.sqrt(x.square().mean(1, keepdim=True) + 1e-8)


def lrelu(x):
    return f.leaky_relu(x, 0.2)


def encoder(w, x):
    """Mean and log variance of codes."""
    x = he(w.below("conv0"), x, 2)
    for n in range(3):
        b = w.below(f"block{n}")
        main = he(b.below("second"), lrelu(he(b.below("first"), lrelu(x), slope=1)), slope=1)
        x = pixel_norm(f.avg_pool2d(main, 2) + he(b.below("skip"), f.avg_pool2d(x, 2), slope=1))
    pooled = lrelu(x).mean((2, 3))
    return tuple(f.linear(pooled, w[f"{head}.weight"], w[f"{head}.bias"]) for head in ("mean", "logvar"))


def residual(w, x):
    first = torch.relu(instance_norm(w.below("first.norm"), he(w.below("first"), x, slope=1)))
    return x + instance_norm(w.below("second.norm"), he(w.below("second"), first, slope=1))


def generator(w, a, z):
    x, skips = a, []
    for name in ("conv0", "down0", "down1", "down2"):
        c = w.below(f"content.{name}")
        x = torch.relu(instance_norm(c.below("norm"), he(c, x, 1 if name == "conv0" else 2)))
        skips.append(x)
    for n in range(4):
        x = residual(w.below(f"content.res{n}"), x)

    def with_style(*parts):
        return torch.cat([*parts, z[:, :, None, None].expand(-1, -1, *parts[0].shape[2:])], 1)

    x = with_style(x)
    for n in range(4):
        x = residual(w.below(f"decoder.res{n}"), x)
    for n in (3, 2, 1):
        up = w.below(f"decoder.up{n}")
        x = f.interpolate(with_style(skips[n], x), scale_factor=2, mode="nearest")
        for part in ("first", "second"):
            x = pixel_norm(torch.relu(he(up.below(part), x)))
    return torch.tanh(he(w.below("decoder.rgb"), with_style(skips[0], x)))


def discriminator(w, image, a):
    """Logits by scale."""
    x, logits = torch.cat([image, a], 1), []
    while f"scale{len(logits)}.conv0.weight" in w:
        s = w.below(f"scale{len(logits)}")
        x = f.avg_pool2d(x, 2) if logits else x
        y = lrelu(he(s.below("conv0"), x, 2))
        for n in (1, 2):
            y = lrelu(instance_norm(s.below(f"conv{n}.norm"), he(s.below(f"conv{n}"), y, 2)))
        deviation = (y.var(0, unbiased=False) + 1e-8).sqrt().mean()
        y = torch.cat([y, deviation.expand(len(y), 1, *y.shape[2:])], 1)
        y = lrelu(instance_norm(s.below("conv3.norm"), he(s.below("conv3"), y)))
        logits.append(he(s.below("logits"), y))
    return logits


def least_squares(logits, target):
    return sum((scale - target).square().mean() for scale in logits)


def perceptual(taps, x, y):
    weights = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1)
    with torch.no_grad():
        wanted = list(taps(y))
    return sum(w * (0.1 * (p - q)).square().mean() for w, p, q in zip(weights, taps(x), wanted))


def code(heads):
    mean, logvar = heads
    return mean + torch.exp(0.5 * logvar)
