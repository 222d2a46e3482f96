"""Name of this machine's CPU. Every benchmark prints it, because a figure without its CPU has little meaning."""

from pathlib import Path


def cpu_name():
    """Returns the model of the CPU and its instruction sets that determine the speed of networks."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    values = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in reversed(lines))}
    arm = " ".join(["ARM", values["CPU implementer"], values["CPU part"]]) if "CPU part" in values else "unknown"
    flags = (values.get("flags") or values.get("Features") or "").split()
    found = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "bf16") if name in flags]
    return " ".join([values.get("model name", arm), *found])
