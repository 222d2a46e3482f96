"""Inputs of the GPU check: images, weights and a project. They are random, so that nothing must be downloaded."""

import re
import shutil
import struct
import zlib

import torch
from torch.nn.functional import interpolate

from worker import ROOT

IMAGES = 24
# train_generator keeps VGG-16's features if they fit into 2 GiB: about 64 images at the paper's size in float32. With
# this number of images it computes the features in each step, like torch.
MANY_IMAGES = 160
DATASET = "gpu_check"
TRAININGS = ("train_encoder", "train_generator", "finetune_generator")
# Convolutions by their numbers in torchvision's networks: input channels, output channels, side of the kernel.
VGG16 = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256),
         17: (256, 512), 19: (512, 512), 21: (512, 512), 24: (512, 512), 26: (512, 512), 28: (512, 512)}
ALEXNET = {0: (3, 64, 11), 3: (64, 192, 5), 6: (192, 384), 8: (384, 256), 10: (256, 256)}


def png(pixels):
    """Returns a PNG file of uint8 pixels [H, W, 3]."""
    height, width, _ = pixels.shape

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(row.flatten().tolist()) for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def images(side, count=IMAGES):
    """Returns images of smooth noise: uint8 [count, side, 2 side, 3]. The left half is A, the right half is B."""
    random = torch.Generator().manual_seed(0)
    small = torch.rand(count, 3, 8, 16, generator=random) * 255
    large = interpolate(small, (side, 2 * side), mode="bicubic", align_corners=False)
    return large.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def halves(side, count):
    """Returns the halves A and B of `images` as float32 in [-1, 1], each [count, 3, side, side]."""
    pixels = images(side, count).permute(0, 3, 1, 2).float() / 127.5 - 1
    return pixels[..., :side].contiguous(), pixels[..., side:].contiguous()


def random_weights(convolutions):
    """Returns a state dict in torchvision's format for a network with these convolutions; weights by He's rule."""
    random = torch.Generator().manual_seed(0)
    tensors = {}
    for number, (inputs, outputs, *side) in convolutions.items():
        shape = (outputs, inputs, *(side or [3]) * 2)
        scale = (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
        tensors[f"features.{number}.weight"] = torch.randn(shape, generator=random) * scale
        tensors[f"features.{number}.bias"] = torch.zeros(outputs)
    return tensors


def adapted(pipeline):
    """Returns the pipeline without LPIPS, because its heads do not fit random weights, and without films (ffmpeg)."""
    without = re.sub(r'(?m)^(inputs\.lpips_heads = .*|\[sources\.lpips_heads\]\n(.+\n)*)', "", pipeline)
    return re.sub(r"(?m)^\[stages\.interpolation_grid[^\n]*\n(.+\n)*", "", without)


def project(folder, worker, side, count=IMAGES):
    """Writes a project with the repository's stages and pipelines, and a dataset of image pairs."""
    (folder / "callsheet.toml").write_text(
        f'stages = "{ROOT}/stages"\n[defaults]\npipeline = "synthesis"\ndataset = "{DATASET}"\nprofile = "test"\n'
        f'[programs]\ncallsheet-stages = "{worker}"\n'
    )
    shutil.copytree(ROOT / "pipelines", folder / "pipelines")
    synthesis = folder / "pipelines/synthesis.toml"
    synthesis.write_text(adapted(synthesis.read_text()))
    (folder / f"pipelines/datasets/{DATASET}.toml").write_text(
        f'summary = "Random images"\nimport = "pairs"\n[sources.images]\npath = "data/raw/{DATASET}/*.png"\n'
        f"[stages.pair_images.params]\nside = {side}\n"
        + "".join(f"[stages.{stage}.resources]\ngpus = 1\n" for stage in TRAININGS)
        + "".join(f'[stages.{stage}.params]\nsha256 = ""\n' for stage in ("import_weights", "import_trunk"))
    )
    raw, weights = folder / "data/raw" / DATASET, folder / "data/weights"
    raw.mkdir(parents=True)
    weights.mkdir()
    for number, pixels in enumerate(images(side, count)):
        (raw / f"{number:03}.png").write_bytes(png(pixels))
    torch.save(random_weights(VGG16), weights / "vgg16.ckpt")
    torch.save(random_weights(ALEXNET), weights / "alexnet.ckpt")
    return folder
