"""The CPU that a figure is from: without it, a figure says little."""

from pathlib import Path


def cpu_name():
    """Model of this machine's CPU, and those of its instructions that decide how fast networks compute."""
    lines = [line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line]
    values = {name.strip(): value.strip() for name, value in reversed(lines)}
    flags = values.get("flags", "").split()
    found = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    return " ".join([values.get("model name", "unknown"), *found])
