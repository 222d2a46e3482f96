"""BicycleGAN's networks in torch, written from its authors' program; weights are those of networks.safetensors."""

import torch
import torch.nn.functional as f

from networks import lrelu


def conv(w, x, stride=1, padding=1):
    return f.conv2d(x, w["weight"], w["bias"], stride, padding)


def norm(x):
    return x * 0 if x.shape[2] * x.shape[3] == 1 else f.instance_norm(x, eps=1e-5)


def encoder(w, x):
    """Mean and log variance of codes."""
    x = conv(w.below("conv0"), x, 2)
    for n in range(4):
        b = w.below(f"block{n}")
        main = conv(b.below("first"), lrelu(norm(x)))
        main = conv(b.below("second"), lrelu(norm(main)))
        x = f.avg_pool2d(main, 2) + conv(b.below("skip"), f.avg_pool2d(x, 2), padding=0)
    pooled = lrelu(x).mean((2, 3))
    return tuple(f.linear(pooled, w[f"{head}.weight"], w[f"{head}.bias"]) for head in ("mean", "logvar"))


def generator(w, a, z):
    """The U-Net up to a side of 32 pixels, where it has no dropout."""
    depth = sum(f"down{n}.weight" in w for n in range(9))
    levels = [a]
    for n in range(depth):
        x = levels[-1]
        x = torch.cat([x, z[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)
        x = conv(w.below(f"down{n}"), x if n == 0 else lrelu(x), 2)
        levels.append(x if n in (0, depth - 1) else norm(x))
    x = levels[depth]
    for n in reversed(range(depth)):
        up = w.below(f"up{n}")
        x = f.conv_transpose2d(torch.relu(x), up["weight"], up["bias"], 2, 1)
        if n > 0:
            x = torch.cat([norm(x), levels[n]], 1)
    return torch.tanh(x)


def discriminator(w, image, _):
    """Logits by scale, of the image alone."""
    x, logits = image, []
    while f"scale{len(logits)}.conv0.weight" in w:
        s = w.below(f"scale{len(logits)}")
        x = f.avg_pool2d(x, 3, 2, 1, count_include_pad=False) if logits else x
        y = lrelu(conv(s.below("conv0"), x, 2))
        for n, stride in ((1, 2), (2, 2), (3, 1)):
            y = lrelu(norm(conv(s.below(f"conv{n}"), y, stride)))
        logits.append(conv(s.below("logits"), y))
    return logits
