"""Every reader of the package, with small files of its kinds from which damaged ones are made."""

from __future__ import annotations

import io
import json
import re
import struct
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import tifffile
import xarray as xr
from roifile import ROI_TYPE, ImagejRoi

SIZE = {"xy_um": 0.1, "z_um": 0.5}
SHAPE = (3, 20, 24)


@dataclass(frozen=True)
class Reader:
    """A reader: the suffix of its files, whole files to start from, and the call; it raises only DeepD3Error."""

    suffix: str
    samples: Callable[[], list[bytes]]
    read: Callable[[Path], Any]


def stack() -> xr.DataArray:
    from deepd3_ij.stack import label_stack

    return label_stack(pixels(), **SIZE)


def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.uint16)


def rois() -> Any:
    from deepd3_ij.rois.roiset import RoiSet
    from deepd3_ij.stack import label_like

    labels = np.zeros(SHAPE, np.int32)
    labels[1, 3:8, 4:9], labels[0:2, 12:16, 12:20] = 1, 5
    return RoiSet(label_like(labels, stack()))


def written(write: Callable[[Path], Any], suffix: str) -> bytes:
    """What a writer puts into a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        write(path)
        return path.read_bytes()


def tiff(array: np.ndarray | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    given = pixels() if array is None else array
    tifffile.imwrite(buffer, given, **{"photometric": "minisblack", **options})
    return buffer.getvalue()


def pages(description: str, software: str | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for page in np.concatenate([pixels(), pixels()]):
            writer.write(page, contiguous=False, photometric="minisblack", description=description, software=software,
                         metadata=None, **options)
            options = {}
    return buffer.getvalue()


# ---------------------------------------------------------------- files to start from

def plain_tiffs() -> list[bytes]:
    return [tiff(), tiff(compression="zlib", predictor=True), tiff(tile=(16, 16), compression="lzw"),
            tiff(bigtiff=True, byteorder=">", metadata=None), tiff(rowsperstrip=3, metadata=None),
            tiff(pixels().astype(np.float32), compression="zlib")]


def imagej_tiffs() -> list[bytes]:
    metadata = {"spacing": 0.5, "unit": "um", "Labels": ["a", "b", "c"], "Properties": {"a": "b"}}
    return [tiff(imagej=True, resolution=(10, 10), metadata={"axes": "ZYX", **metadata}),
            tiff(np.stack([pixels()] * 2, 1), imagej=True, resolution=(10, 10), metadata={"axes": "ZCYX"}),
            tiff(imagej=True, truncate=True, metadata={"axes": "ZYX", **metadata})]


def ome_tiffs() -> list[bytes]:
    size = {"PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1, "PhysicalSizeZ": 0.5}
    return [tiff(ome=True, metadata={"axes": "ZYX", **size}),
            tiff(np.stack([pixels()] * 2, 1), ome=True, metadata={"axes": "ZCYX", **size}),
            pages('<OME UUID="urn:uuid:2"><BinaryOnly MetadataFile="a.companion.ome" UUID="urn:uuid:3"/></OME>')]


def lsm_tiffs() -> list[bytes]:
    info = (struct.pack("<10i", 67127628, 500, 24, 20, 3, 1, 1, 2, 16, 16)
            + struct.pack("<6d", 1e-7, 1e-7, 5e-7, 0, 0, 0)).ljust(500, b"\0")
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for number, page in enumerate(pixels()):
            tags = [(34412, 1, 500, info, True)] if number == 0 else []
            writer.write(page, contiguous=False, photometric="minisblack", metadata=None, extratags=tags)
            writer.write(page[:4, :4], contiguous=False, photometric="minisblack", metadata=None, subfiletype=1)
    return [buffer.getvalue()]


def scanimage_tiffs() -> list[bytes]:
    newer = ("SI.hChannels.channelSave = [1;2]\nSI.hStackManager.numSlices = 3\nSI.hStackManager.framesPerSlice = 1\n"
             "SI.hStackManager.stackZStepSize = 0.5\nSI.hRoiManager.imagingFovUm = [0 0;2.4 0;2.4 2;0 2]\n")
    return [pages("state.configPath=''\rstate.acq.numberOfChannelsSave=2\rstate.acq.numberOfZSlices=3\r"
                  "state.acq.numberOfFrames=1\rstate.acq.zStepSize=0.5\r"), pages("frameNumbers = 1", newer)]


def polygon(**options: Any) -> bytes:
    roi = ImagejRoi.frompoints([[2, 2], [9, 2], [9, 9], [2, 9]], name="spine0001_z002")
    for name, value in {"position": 2, **options}.items():
        setattr(roi, name, value)
    return roi.tobytes()


def roi_files() -> list[bytes]:
    from deepd3_ij.files.imagej_roi import encode_rois

    oval = ImagejRoi.frompoints([[2, 2], [9, 9]])
    oval.roitype = ROI_TYPE.OVAL
    curves = np.array([0, 5, 5, 2, 8, 2, 9, 9, 3, 9, 12, 4, 14, 5, 5, 4], np.float32)
    composite = ImagejRoi(roitype=ROI_TYPE.RECT, top=0, left=0, right=15, bottom=15, multi_coordinates=curves,
                          shape_roi_size=len(curves), n_coordinates=0)
    return [polygon(), polygon(roitype=ROI_TYPE.FREEHAND), oval.tobytes(), composite.tobytes(),
            *(data for _, data in encode_rois(rois()))]


def roi_zips() -> list[bytes]:
    from deepd3_ij.files.roi_zip import write_roi_zip

    archives = [written(lambda path: write_roi_zip(path, rois()), ".zip")]
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for number, content in enumerate(roi_files()[:3]):
                archive.writestr(f"{number}.roi", content)
        archives.append(buffer.getvalue())
    return archives


def swc_files() -> list[bytes]:
    return [b"# comment\n1 1 0.5 0.5 0.2 0.3 -1\n2 3 1.2 1.1 0.5 0.1 1\n3 3 1.9 1.5 1.0 0 2\n4 3 0.2 1.9 1.2 0.1 1\n",
            "1\t3\t0\t0\t0\t1\t-1\r\n".encode("utf-16")]


def tables() -> list[bytes]:
    return [b"id,z_px,y_px,x_px,z_um,y_um,x_um\n1,1,2,3,.5,.2,.3\n2,2,5,6,1,.5,.6\n",
            "\ufeffid;z_px;y_px;x_px;z_um;y_um;x_um\r\n1;1;2;3;0,5;0,2;0,3\r\n".encode(),
            b"idx,isBad,z_slice0,head_x_px,head_y_px,X,Y,Pos\n1,0,1,2.5,3.5,1,2,3\n2,1,1,2,3,1,2,3\n"]


def predictions() -> list[bytes]:
    from deepd3_ij.files.hdf5 import write_prediction
    from deepd3_ij.stack import label_prediction

    maps = [np.random.default_rng(seed).random(SHAPE).astype(np.float32) for seed in (0, 1)]
    return [written(lambda path: write_prediction(path, label_prediction(*maps, stack(), {"a": 1})), ".prediction")]


def roi_maps() -> list[bytes]:
    from deepd3_ij.files.hdf5 import write_rois

    table = pd.DataFrame({"id": [1, 5], "note": ["a", "µ"], "x_um": [0.5, np.nan]})
    return [written(lambda path: write_rois(path, rois(), table), ".rois")]


def training_data() -> Any:
    from deepd3_ij.files.d3data import cut_d3data

    mask = np.zeros(SHAPE, bool)
    mask[1, 3:9, 3:9] = True
    return cut_d3data(stack(), mask, mask)


def d3data_files() -> list[bytes]:
    from deepd3_ij.files.d3data import write_d3data

    return [written(lambda path: write_d3data(path, training_data()), ".d3data")]


def d3set_files() -> list[bytes]:
    from deepd3_ij.files.d3set import write_d3set

    return [written(lambda path: write_d3set(path, [training_data()] * 2), ".d3set")]


def pipra_files() -> list[bytes]:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("mask", data=(pixels() > 150).transpose(0, 2, 1), chunks=(1, 24, 20), compression="gzip")
    return [buffer.getvalue()]


def small_network() -> tuple[dict[str, Any], Any, dict[str, dict[str, np.ndarray]]]:
    """Configuration, graph and weights of the bundled network with an eighth of its filters."""
    from deepd3_ij import model
    from deepd3_ij.model.graph import read_graph

    bundled = next((Path(model.__file__).parent / "bundled").glob("*.keras"))
    with zipfile.ZipFile(bundled) as archive:
        config = json.loads(archive.read("config.json"))
    for layer in config["config"]["layers"]:
        if layer["class_name"] == "Conv2D":
            layer["config"]["filters"] = max(1, layer["config"]["filters"] // 8)
    graph = read_graph(config, "a")
    weights = {node.name: {role: np.full(shape, 0.5, np.float32) for role, shape in graph.weight_shapes(node).items()}
               for node in graph.nodes.values()}
    return config, graph, weights


def keras_files() -> list[bytes]:
    from deepd3_ij.model.card import MEMBER, ModelCard
    from deepd3_ij.model.network_file import _keras3_groups

    config, graph, weights = small_network()
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_group("layers")
        for name, group in _keras3_groups(graph, file).items():
            for index, array in enumerate(weights.get(name, {}).values()):
                file[f"{group}/vars/{index}"] = array
    card = ModelCard(name="a", resolution_um=0.1, recommended={"Roi3DParameters": {"area_threshold": 0.3},
                                                                "min_volume_um3": 0.05})
    files = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            archive.writestr("config.json", json.dumps(config))
            archive.writestr("model.weights.h5", content.getvalue())
            archive.writestr(MEMBER, card.to_json())
        files.append(buffer.getvalue())
    return files


def h5_files() -> list[bytes]:
    config, _, weights = small_network()
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["deepd3_card"] = '{"name": "a", "resolution_um": 0.1}'
        for name, arrays in weights.items():
            group = file.create_group(f"model_weights/{name}")
            group.attrs["weight_names"] = np.array([f"{name}/{role}:0".encode() for role in arrays] or [b""])
            for role, array in arrays.items():
                group[f"{name}/{role}:0"] = array
    return [buffer.getvalue()]


def settings_files() -> list[bytes]:
    return [b'{"method": "floodfill", "areaThreshold": 0.25, "peakThreshold": 0.8, "seedDelta": 0.1, '
            b'"distanceToSeed": 2, "minPx": 20, "maxPx": 1000, "minPlanes": 1, "watershed": false}']


def checkpoints() -> list[bytes]:
    history = {"parameters": {"filters": 2}, "step": 5, "log": [{"step": 5}], "best_step": 5, "best_score": 0.5,
               "stale": 0, "seconds": 1.5}
    buffer = io.BytesIO()
    np.savez(buffer, network_0=np.ones((3, 3, 1, 2), np.float32), best_0=np.ones(4),
             history=np.frombuffer(json.dumps(history).encode(), np.uint8))
    return [buffer.getvalue()]


def manifests() -> list[bytes]:
    return [json.dumps({"version": "0.1.0", "python": "/usr/bin/python", "files": {"scripts/a.py": "0" * 64}}).encode()]


# ---------------------------------------------------------------- calls

def read_tiff(path: Path) -> None:
    from deepd3_ij import open_stack

    eager = open_stack(path, channel=0, frame=0, **SIZE).values
    lazy = open_stack(path, channel=0, frame=0, lazy=True, **SIZE)
    assert eager.ndim == 3
    np.testing.assert_array_equal(np.asarray(lazy), eager)


def read_mask(path: Path) -> None:
    from deepd3_ij.files.masks import read_spine_mask

    assert read_spine_mask(path, stack()).shape == SHAPE


def read_zip(path: Path) -> None:
    from deepd3_ij.files.roi_zip import read_roi_zip

    assert read_roi_zip(path, stack()).labels.shape == SHAPE


def read_tracing(path: Path) -> None:
    from deepd3_ij.annotation.reconstruction import draw_tracing
    from deepd3_ij.files.swc import read_swc

    assert draw_tracing(read_swc(path), SHAPE, **SIZE).any()


def read_points(path: Path) -> None:
    from deepd3_ij.errors import DeepD3Error
    from deepd3_ij.files.point_tables import read_evaluation_points, read_positions
    from deepd3_ij.measurement.evaluation import evaluate
    from deepd3_ij.parameters import EvaluationParameters

    with suppress(DeepD3Error):
        read_positions(path)
    found, truth = read_evaluation_points(path, path, **SIZE)
    evaluate(found, truth, None, EvaluationParameters())


def read_maps(path: Path) -> None:
    from deepd3_ij.files.opening import read_maps

    assert set(read_maps([path], **SIZE)) == {"dendrite", "spine"}


def read_roi_map(path: Path) -> None:
    from deepd3_ij.files.hdf5 import read_rois

    found = read_rois(path, **SIZE)
    assert len(found) == len(found.ids)


def read_training_data(path: Path) -> None:
    from deepd3_ij.training.dataset import describe_training_data

    describe_training_data(path)


def read_model(path: Path) -> None:
    from deepd3_ij.model.network_file import read_network
    from deepd3_ij.model.zoo import card_of
    from deepd3_ij.parameters import Roi3DParameters, resolve

    assert read_network(path).layers
    resolve(Roi3DParameters, recommended=card_of(path).recommended, voxel_size_um=(0.5, 0.1, 0.1))


def read_settings(path: Path) -> None:
    from deepd3_ij.files.roi_settings import read_roi_settings

    read_roi_settings(path)


def read_checkpoint(path: Path) -> None:
    from deepd3_ij.training.fitting import load_checkpoint

    load_checkpoint(path)


def read_manifest(path: Path) -> None:
    from deepd3_ij.install.installer import MANIFEST, _read_manifest

    place = path.parent / MANIFEST
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(path.read_bytes())
    _read_manifest(path.parent)


READERS: dict[str, Reader] = {
    "tiff-plain": Reader(".tif", cache(plain_tiffs), read_tiff),
    "tiff-imagej": Reader(".tif", cache(imagej_tiffs), read_tiff),
    "tiff-ome": Reader(".ome.tif", cache(ome_tiffs), read_tiff),
    "tiff-lsm": Reader(".lsm", cache(lsm_tiffs), read_tiff),
    "tiff-scanimage": Reader(".tif", cache(scanimage_tiffs), read_tiff),
    "mask-tiff": Reader(".tif", cache(imagej_tiffs), read_mask),
    "mask-pipra": Reader(".mask", cache(pipra_files), read_mask),
    "roi": Reader(".roi", cache(roi_files), read_zip),
    "roi-zip": Reader(".zip", cache(roi_zips), read_zip),
    "swc": Reader(".swc", cache(swc_files), read_tracing),
    "csv": Reader(".csv", cache(tables), read_points),
    "prediction": Reader(".prediction", cache(predictions), read_maps),
    "rois": Reader(".rois", cache(roi_maps), read_roi_map),
    "d3data": Reader(".d3data", cache(d3data_files), read_training_data),
    "d3set": Reader(".d3set", cache(d3set_files), read_training_data),
    "model-keras": Reader(".keras", cache(keras_files), read_model),
    "model-h5": Reader(".h5", cache(h5_files), read_model),
    "settings": Reader(".roi3d_settings", cache(settings_files), read_settings),
    "checkpoint": Reader(".npz", cache(checkpoints), read_checkpoint),
    "manifest": Reader(".json", cache(manifests), read_manifest),
}


def safe_name(name: str) -> str:
    """A name for a file of the corpus."""
    return re.sub(r"[^\w.-]+", "_", name)[:80]
