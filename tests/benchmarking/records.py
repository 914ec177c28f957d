"""Known records."""

from typing import Any


def line(sampler: str, seed: int, best: list[float], **fields: Any) -> dict[str, Any]:
    defaults = {
        "problem": "toy",
        "sampler": sampler,
        "seed": seed,
        "queries": len(best),
        "direction": "MAXIMIZE",
        "optimum": 10.0,
        "best": best,
        "invalid": 2,
        "repeated": 0,
        "sampling_cpu_seconds": 0.25,
    }
    return defaults | fields


# The differences at the end are 1, 2 and 3.
LINES = [line("TPE", seed, [1.0, 4.0]) for seed in range(3)]
LINES += [line("DNAS", seed, [1.0, 5.0 + seed]) for seed in range(3)]
