"""Reads safetensors files, because the machine of the check may lack the package safetensors."""

import json
import struct

import torch

KINDS = {"F32": torch.float32, "F64": torch.float64, "BF16": torch.bfloat16, "I64": torch.int64, "U8": torch.uint8}


def load(path):
    """Returns the tensors of a file by name."""
    content = bytearray(path.read_bytes())
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        kind, (begin, end) = KINDS[entry["dtype"]], entry["data_offsets"]
        data = content[8 + length + begin : 8 + length + end]
        tensors[name] = torch.frombuffer(data, dtype=kind).reshape(entry["shape"]) if data else torch.empty(entry["shape"])
    return tensors
