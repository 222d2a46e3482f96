"""Trains the method's networks with torch for comparison: losses, gradients and updates as in the stages."""

import torch

from networks import Weights, code, discriminator, encoder, generator, least_squares, perceptual


class Peer:
    """Weights, and an Adam for the networks of each optimizer."""

    def __init__(self, weights):
        def last(w):
            return w.contiguous(memory_format=torch.channels_last) if w.dim() == 4 else w

        self.weights = {name: last(w).requires_grad_() for name, w in weights.items()}
        self.adams = {}

    def update(self, totals):
        """Computes all gradients from one forward pass, and then updates all weights."""
        gradients = {}
        for optimizer, (total, networks, rate) in totals.items():
            names = [name for name in self.weights if name.startswith(networks)]
            found = torch.autograd.grad(total, [self.weights[name] for name in names], retain_graph=True)
            gradients[optimizer] = (names, found, rate)
        for optimizer, (names, found, rate) in gradients.items():
            tensors = [self.weights[name] for name in names]
            if optimizer not in self.adams:
                self.adams[optimizer] = torch.optim.Adam(tensors, lr=rate, betas=(0.0, 0.99))
            for tensor, gradient in zip(tensors, found):
                tensor.grad = gradient
            self.adams[optimizer].step()
            self.adams[optimizer].zero_grad()


def generator_step(peer, taps, objective, frozen, batches):
    e, g, d = (Weights(peer.weights, prefix) for prefix in ("e.", "g.", "d."))
    perceptuals, reals, fakes, gan, gan2, codes, divergences = ([] for _ in range(7))
    pair = objective == "munit_p_v1"
    batches = batches if pair else batches[:1]
    if pair:
        heads = [encoder(e, b) for _, b in batches]
        z = [mean + torch.randn_like(mean) * torch.exp(0.5 * logvar) for mean, logvar in heads]
        divergences = [0.5 * (m.square() + v.exp() - 1 - v).sum() for m, v in heads]
    else:
        with torch.set_grad_enabled(not frozen):
            z = [code(encoder(e, b)) for _, b in batches]
    r = torch.randn_like(z[0])
    for n, (a, b) in enumerate(batches):
        outputs = [generator(g, a, z[n])]
        perceptuals.append(perceptual(taps, outputs[0], b))
        if pair:
            outputs.append(generator(g, a, r))
            codes.append((encoder(e, outputs[1])[0] - r).abs().mean())
        for output, terms in zip(outputs, (gan, gan2)):
            judged = discriminator(d, output, a)
            terms.append(least_squares(judged, 1))
            fakes.append(least_squares(judged, 0))
        reals.append(least_squares(discriminator(d, b, a), 1))
    if pair:
        swapped = [generator(g, batches[n][0], z[1 - n]) for n in range(2)]
        for n in range(2):
            mean, logvar = encoder(e, swapped[1 - n])
            again = mean + torch.randn_like(mean) * torch.exp(0.5 * logvar)
            perceptuals.append(perceptual(taps, generator(g, batches[n][0], again), batches[n][1]))
    g1 = 0.02 * sum(perceptuals) + sum(gan) / (len(gan) + 1) + 0.01 * sum(divergences)
    totals = {"g1": (g1, ("g.",) if frozen else ("g.", "e."), 0.001)}
    if pair:
        totals["g2"] = (sum(gan2) / (len(gan2) + 1) + 10 * sum(codes), ("g.",), 0.0001)
    totals["d"] = (sum(reals) / (len(reals) + 1) + sum(fakes) / (len(fakes) + 1), ("d.",), 0.001)
    peer.update(totals)


def encoder_step(peer, images):
    e = Weights(peer.weights, "e.")
    za, zp, zn = (code(encoder(e, x)) for x in images)
    hinge = ((za - zp).square().sum(1) - (za - zn).square().sum(1) + 0.1).clamp_min(0).mean()
    peer.update({"e": (hinge + 0.01 * sum(z.square().mean() for z in (za, zp, zn)), ("e.",), 0.001)})
