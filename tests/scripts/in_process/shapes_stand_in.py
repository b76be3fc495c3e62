from __future__ import annotations
import numpy as np
from dataclasses import replace
from deepd3_ij.measurement import measurements
import deepd3_ij.measurement as room
from deepd3_ij.measurement.columns import SHAPE_COLUMNS
original = measurements.measure
def stand_in(rois, prediction, stack=None, parameters=None, progress=lambda *_: None, placed=None):
    tables = original(rois, prediction, stack, parameters, progress)
    s = tables.spines
    n = len(s)
    cols = {name: (np.full(n, np.nan) if c.kind == "float64" else np.array([""] * n, object)) for name, c in SHAPE_COLUMNS.items()}
    direction = np.where(s["y_px"] < 28, 1, -1)
    for axis in "zyx":
        for place, shift in (("base", 0.6), ("head", 0.0), ("tip", -0.35)):
            cols[f"{place}_{axis}_um"] = s[f"{axis}_um"].to_numpy() + (shift * direction if axis == "y" else 0)
    cols["geometry_source"] = np.array(["measured"] * n, object)
    for spine, p in (placed or {}).items():
        row = int(np.flatnonzero(s["id"] == spine)[0])
        for axis, b, t in zip("zyx", p.base_zyx_um, p.tip_zyx_um):
            cols[f"base_{axis}_um"][row] = b
            cols[f"tip_{axis}_um"][row] = t
        cols["geometry_source"][row] = "user"
    d = [cols[f"tip_{a}_um"] - cols[f"base_{a}_um"] for a in "zyx"]
    cols["length_um"] = np.sqrt(sum(x**2 for x in d))
    cols["length_xy_um"] = np.hypot(d[1], d[2])
    cols["head_fwhm_um"] = np.full(n, 0.55)
    cols["quality"] = np.array(["below resolution;no split"] * n, object)
    return replace(tables, spines=s.assign(**cols))
room.measure = stand_in
measurements.measure = stand_in
