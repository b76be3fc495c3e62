"""Stacks larger than memory: time and the system's peak, slab by slab and in memory.

``python benchmarks/bench_scale.py grow`` builds ROIs from maps of 10 to 1,000 million voxels, each in a process of its
own, in memory (as far as that fits) and in slabs, and fits the exponent of the time. ``python benchmarks/bench_scale.py
large`` writes maps of 200 × 4096 × 4096 voxels (8 bit) and runs ``deepd3-ij rois`` on them with ``--memory 6GB``; it
needs 40 GB of disk. ``python benchmarks/bench_scale.py cluster`` cleans maps of 60 × 2048 × 2048 in files and builds
ROIs from them, in one process with two threads and by two Dask workers with one thread each, in turns. Maps are a
simulated tile of 100 × 1024 × 1024, mirrored.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepd3_ij.batch.cluster_slabs import slabs_on_cluster
from deepd3_ij.cleaning import clean
from deepd3_ij.files.tiff import write_prediction_maps
from deepd3_ij.memory import kept_to, parse_memory, plan
from deepd3_ij.parameters import Roi3DParameters
from deepd3_ij.rois import build_rois_3d
from deepd3_ij.rois.building_3d import find_spines_3d
from deepd3_ij.slabs import Box, FileVolume, Shape, Workspace, lazily, slabs_of, working_in
from deepd3_ij.stack import label_prediction, label_stack

sys.path.insert(0, str(Path(__file__).parent))

from bench_rois import XY_UM, Z_UM, make_maps

SIZES: tuple[Shape, ...] = ((10, 1024, 1024), (20, 1280, 1280), (50, 1448, 1448), (75, 2048, 2048), (120, 2900, 2900))
LARGE: Shape = (200, 4096, 4096)
SHARED: Shape = (60, 2048, 2048)
SLAB_BYTES = 200_000_000
WORKERS = 2


@dataclass(frozen=True, eq=False)
class Mirrored:
    """A tile that is mirrored at its faces until a volume is full."""

    tile: np.ndarray
    shape: Shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the tile."""
        return self.tile.dtype

    def read(self, first: int, last: int) -> np.ndarray:
        """Planes ``first:last``."""
        _, height, width = self.shape
        places = np.arange(first, last)
        depth = len(self.tile)
        planes = self.tile[np.where(places // depth % 2 == 0, places % depth, depth - 1 - places % depth)]
        more = [(0, size - own) for size, own in zip((height, width), planes.shape[1:], strict=True)]
        return np.pad(planes, [(0, 0), *more], mode="symmetric")

    def read_box(self, box: Box) -> np.ndarray:
        """Part between bounds."""
        (z0, z1), (y0, y1), (x0, x1) = box
        return self.read(z0, z1)[:, y0:y1, x0:x1]


def build(volume: Path, shape: Shape, slabs: bool) -> None:
    """Build ROIs from a raw map in a file and print seconds (with reading), peak and ROIs as JSON."""
    source = FileVolume(volume, shape, np.dtype(np.float32))
    parameters = Roi3DParameters()
    warm = np.random.default_rng(0).random((4, 64, 64), dtype=np.float32)
    find_spines_3d(slabs_of(warm), (Z_UM, XY_UM, XY_UM), parameters)
    before = peak_mb()
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        with working_in(Workspace(SLAB_BYTES if slabs else None)):
            runs = find_spines_3d(source, (Z_UM, XY_UM, XY_UM), parameters)
        seconds.append(time.perf_counter() - begin)
    print(json.dumps({"s": min(seconds), "peak_mb": peak_mb(), "before_mb": before,
                      "rois": int(runs.labels.max(initial=0))}))


def peak_mb(who: int = resource.RUSAGE_SELF) -> float:
    """The system's peak of a process, or of the largest that ended."""
    return resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def grow(tile: np.ndarray, folder: Path, most_mvoxel: float) -> None:
    """Time ROI building from small to large maps."""
    print(f"{'Mvoxel':>8}{'ROIs':>9}{'memory s':>10}{'peak MB':>9}{'slabs s':>9}{'peak MB':>9}{'ratio':>7}")
    points = []
    for shape in SIZES:
        voxels = math.prod(shape)
        if voxels > most_mvoxel * 1e6:
            continue
        path = folder / "map"
        source = Mirrored(tile, shape)
        with path.open("wb") as stream:
            for z in range(shape[0]):
                source.read(z, z + 1).tofile(stream)
        rows = []
        for how in ("memory", "slabs"):
            command = [sys.executable, __file__, "build", str(path), *map(str, shape), how]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rows.append(json.loads(output.splitlines()[-1]))
        memory, slabs = rows
        points.append((voxels, slabs["s"]))
        print(f"{voxels / 1e6:8.0f}{slabs['rois']:9}{memory['s']:10.2f}{memory['peak_mb']:9.0f}{slabs['s']:9.2f}"
              f"{slabs['peak_mb']:9.0f}{slabs['s'] / memory['s']:7.2f}", flush=True)
        path.unlink()
    x, y = np.log(np.array(points)).T
    print(f"exponent {np.polyfit(x, y, 1)[0]:.2f}")


def large(dendrite: np.ndarray, spine: np.ndarray, folder: Path, memory: str) -> None:
    """Run the command line on maps larger than memory."""
    maps = [lazily(Mirrored(tile, LARGE)) for tile in (dendrite, spine)]
    like = label_stack(maps[0], xy_um=XY_UM, z_um=Z_UM)
    begin = time.perf_counter()
    if not (folder / "large_spines.tif").exists():
        write_prediction_maps(folder, "large", label_prediction(*maps, like, {}), eight_bit=True)
    print(f"maps written in {time.perf_counter() - begin:.0f} s", flush=True)
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "deepd3_ij", "rois", "--dendrite", str(folder / "large_dendrites.tif"),
                    "--spine", str(folder / "large_spines.tif"), "--out", str(folder / "results"), "--memory", memory],
                   check=True)
    peak = peak_mb(resource.RUSAGE_CHILDREN)
    print(f"{time.perf_counter() - begin:.0f} s, peak {peak:.0f} MB of {parse_memory(memory) / 1e6:.0f} MB")


def cluster(dendrite: np.ndarray, spine: np.ndarray, folder: Path, memory: str, turns: int = 3) -> None:
    """Time the steps whose slabs can be tasks of a cluster, here and there; each keeps to the memory."""
    from distributed import LocalCluster

    maps = []
    for name, tile in (("dendrite", dendrite), ("spine", spine)):
        maps.append(FileVolume.new(folder / f"shared_{name}", SHARED, np.dtype(np.float32)))
        for z in range(SHARED[0]):
            maps[-1].write(z, Mirrored(tile, SHARED).read(z, z + 1))
    like = label_stack(lazily(maps[1]), xy_um=XY_UM, z_um=Z_UM)
    prediction = label_prediction(*map(lazily, maps), like, {})
    limit = parse_memory(memory)
    seconds: dict[str, list[np.ndarray]] = {"one process": [], "two workers": []}
    with LocalCluster(n_workers=WORKERS, threads_per_worker=1, memory_limit=0, dashboard_address=None,
                      env={"DEEPD3_THREADS": "1"}) as workers:
        for _ in range(turns + 1):  # the first one compiles
            for how, taken in seconds.items():
                with ExitStack() as kept:
                    scratch = kept.enter_context(kept_to(plan(SHARED, limit, shared=True), folder))
                    assert scratch is not None
                    if how == "two workers":
                        kept.enter_context(slabs_on_cluster(workers.scheduler_address, scratch, limit))
                    marks = [time.perf_counter()]
                    cleaned = clean(prediction)
                    marks.append(time.perf_counter())
                    rois = build_rois_3d(cleaned)
                    marks.append(time.perf_counter())
                    taken.append(np.diff(marks))
                    found = len(rois)
                    del cleaned, rois
    print(f"{'':14}{'cleaning s':>12}{'ROIs s':>8}{'both s':>8}   best of {turns}, {found} ROIs, {memory} each")
    for how, taken in seconds.items():
        cleaning, building = np.min(taken[1:], axis=0)
        print(f"{how:14}{cleaning:12.2f}{building:8.2f}{np.min(np.sum(taken[1:], axis=1)):8.2f}")


def main() -> None:
    """Make the tile, run what is asked for."""
    if sys.argv[1:2] == ["build"]:
        depth, height, width = map(int, sys.argv[3:6])
        build(Path(sys.argv[2]), (depth, height, width), sys.argv[6] == "slabs")
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="grow", choices=("grow", "large", "cluster"))
    parser.add_argument("--memory", default="6GB", help="limit of 'large' and 'cluster'")
    parser.add_argument("--most", type=float, default=1100, metavar="MVOXEL", help="largest map of 'grow'")
    parser.add_argument("--folder", type=Path, help="keep the tile and files here and use them again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "spine.npy").exists():
            for name, volume in zip(("dendrite", "spine"), make_maps((100, 1024, 1024), 2000), strict=True):
                np.save(folder / f"{name}.npy", volume)
        dendrite, spine = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("dendrite", "spine"))
        if arguments.what == "grow":
            grow(spine, folder, arguments.most)
        elif arguments.what == "large":
            large(dendrite, spine, folder, arguments.memory)
        else:
            cluster(dendrite, spine, folder, arguments.memory)


if __name__ == "__main__":
    main()
