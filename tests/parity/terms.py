"""Every term of the method's losses in torch, in float32 and under torch's automatic bfloat16."""

import torch

from networks import Weights, discriminator, encoder, generator, least_squares, perceptual
from worker import vgg


def draw(heads, noise):
    """Variational codes."""
    mean, logvar = heads
    return mean + torch.exp(0.5 * logvar) * noise


def losses(weights, taps, a, b, noise):
    """Terms by name, of contents A, styles B and random codes: [N, 3, H, W] in [-1, 1] and [3, N, 8].

    The second batch of a step is the first one with its styles in reverse.
    """
    e, g, d = (Weights(weights, prefix) for prefix in ("e.", "g.", "d."))
    heads = encoder(e, b)
    mean, logvar = heads
    z = draw(heads, noise[0])
    remade, drawn, swapped = (generator(g, a, z_) for z_ in (z, noise[1], z.flip(0)))
    found = encoder(e, swapped.flip(0))
    again = generator(g, a, draw(found, noise[2]))
    terms = {
        "perceptual": perceptual(taps, remade, b),
        "l1": (remade - b).abs().mean(),
        "mse": (remade - b).square().mean(),
        "cycle": perceptual(taps, again, b),
        "kl": 0.5 * (mean.square() + logvar.exp() - logvar - 1).sum(),
        "code_l2": z.square().mean(),
        "random_code": (encoder(e, drawn)[0] - noise[1]).abs().mean(),
        "swap_code": (found[0] - z).abs().mean(),
        "real": least_squares(discriminator(d, b, a), 1),
    }
    for name, image in {"reconstruction": remade, "swap": swapped, "random": drawn}.items():
        terms[f"gan_{name}"] = least_squares(discriminator(d, image, a), 1)
        terms[f"fake_{name}"] = least_squares(discriminator(d, image.detach(), a), 0)
    return terms


def gradients(weights, imported, a, b, noise, updates, bf16):
    """Gradients as vectors, by term and network; `updates` are the networks of each term."""
    weights = {name: w.clone().requires_grad_() for name, w in weights.items()}
    taps = vgg(imported, "torchvision")
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        terms = losses(weights, taps, a, b, noise)
    found = {}
    for term, networks in updates.items():
        for network in networks:
            own = [weights[name] for name in sorted(weights) if name.startswith(f"{network[0]}.")]
            parts = torch.autograd.grad(terms[term], own, retain_graph=True, allow_unused=True)
            parts = [torch.zeros_like(w) if part is None else part for w, part in zip(own, parts)]
            found[term, network] = torch.cat([part.double().flatten() for part in parts])
    return found
