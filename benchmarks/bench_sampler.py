"""How many training samples per second the sampler draws.

Usage: ``python benchmarks/bench_sampler.py [--samples N] [--set SET.d3set]``. Without a set,
three synthetic stacks of 20 × 512 × 512 voxels are used. Every figure is the best of three
rounds; samples are augmented with the default probabilities. Samples per second of processor
time, one thread, are what a free core would reach when the machine is busy.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.ndimage import gaussian_filter

from deepd3_ij.files.d3data import D3Data
from deepd3_ij.files.d3set import read_d3set
from deepd3_ij.parameters import AugmentationParameters, SamplerParameters
from deepd3_ij.training.sampler import Sampler

ROUNDS = 3
BATCH = 32


def synthetic(seed: int) -> D3Data:
    random = np.random.default_rng(seed)
    smooth = gaussian_filter(random.standard_normal((20, 512, 512), dtype=np.float32), 2)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    return D3Data((smooth * 60_000).astype(np.uint16), smooth > 0.6, smooth > 0.75,
                  {"Resolution_XY": 0.1, "Resolution_Z": 0.5})


def rate_of_processor(sampler: Sampler) -> float:
    best = 0.0
    for number in range(ROUNDS * 10):
        begin = time.process_time()
        count = len(sampler.samples(number * BATCH, BATCH).image)
        best = max(best, count / (time.process_time() - begin))
    return best


def rate(sampler: Sampler, samples: int, workers: int) -> float:
    best = 0.0
    for number in range(ROUNDS):
        begin = time.perf_counter()
        with ThreadPoolExecutor(workers) as pool:
            starts = range(number * samples, (number + 1) * samples, BATCH)
            count = sum(pool.map(lambda first: len(sampler.samples(first, BATCH).image), starts))
        best = max(best, count / (time.perf_counter() - begin))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=9600, help="samples per round")
    parser.add_argument("--set", help="a d3set instead of synthetic stacks")
    arguments = parser.parse_args()
    stacks = read_d3set(arguments.set) if arguments.set else [synthetic(seed) for seed in range(3)]

    begin = time.perf_counter()
    parameters = SamplerParameters(min_content_voxels=50, target_resolution_um=stacks[0].xy_um)
    plain, augmented = (Sampler(stacks, parameters, augmentation) for augmentation in (None, AugmentationParameters()))
    print(f"two samplers of {len(stacks)} stacks made in {time.perf_counter() - begin:.2f} s; "
          f"{plain.windows} windows of {parameters.height_px} × {parameters.width_px} px")
    augmented.samples(0, BATCH)  # compiles
    for name, sampler in (("as they are", plain), ("augmented", augmented)):
        print(f"{name}: {rate_of_processor(sampler):.0f} samples per second of processor time")
        for workers in (1, 2):
            found = rate(sampler, arguments.samples, workers)
            print(f"{name}, {workers} worker{'s' if workers > 1 else ''}: {found:.0f} samples/s")


if __name__ == "__main__":
    main()
