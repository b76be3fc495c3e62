"""Speed of the calls from Fiji's scripts to Python, in process and through Appose.

``python benchmarks/bench_service.py`` prints the best of several calls: an empty one, and 60 × 1024 × 1024
float32 pixels from an ImageJ stack to Python and back, in place and with an answer in other memory; then the first and
the second segmentation of a small stack. A plain copy of as many bytes tells how busy the computer is.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

MEASURE = '''#@ Context context
#@output String answer
from java.lang import System

import deepd3_transport as transport
from deepd3_images import describe, pixels
from ij import IJ

def best(function, count):
    times = []
    for _ in range(count):
        start = System.nanoTime()
        function()
        times.append((System.nanoTime() - start) / 1e9)
    return min(times)

about = lambda: transport.call(context, "echo", {"text": "x"})
about()
small = best(about, 200)
image = IJ.createImage("large", "32-bit ramp", 1024, 1024, 60)
around = lambda: transport.call(context, "echo", {}, {"arrays": pixels(image)})
around()
large = best(around, 5)
elsewhere = lambda: transport.call(context, "echo", {"as_bytes": True}, {"arrays": pixels(image)})
elsewhere()
other = best(elsewhere, 5)
small_image = IJ.createImage("small", "8-bit ramp", 256, 256, 4)
segment = lambda: transport.call(context, "segment", {
    "image": dict(describe(small_image), units=["micron"] * 3, pixel_size=[0.1, 0.1, 0.5])},
    {"stack": pixels(small_image)})
first, second = best(segment, 1), best(segment, 1)
answer = "empty call %.2f ms, 60 x 1024 x 1024 float32 there and back %.2f s, with an answer in other memory %.2f s, " \
    "4 x 256 x 256 segmented in %.2f s, again in %.2f s" % (1000 * small, large, other, first, second)
'''

IN_PROCESS = '''
import sys
sys.path.insert(0, {root!r})
from deepd3_ij import fiji
from deepd3_ij.fiji.java import java_class, end_process
from deepd3_ij.service.in_process import publish
session = fiji.connect("embedded", commands=True)
publish(session)
scripts = session.context.getService(java_class("org.scijava.script.ScriptService"))
info = java_class("org.scijava.script.ScriptInfo")(session.context, java_class("java.io.File")({script!r}))
print(scripts.run(info, True, java_class("java.util.HashMap")()).get().getOutput("answer"))
end_process()
'''


def _copy_seconds() -> float:
    """Best time of a copy of 60 × 1024 × 1024 float32 into memory that is there."""
    source = np.ones((60, 1024, 1024), np.float32)
    target = np.empty_like(source)
    times = []
    for _ in range(6):
        start = time.perf_counter()
        np.copyto(target, source)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    from deepd3_ij.install import installer
    from tests.scripts.host_process import Host

    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        script = work / "measure.py"
        script.write_text(MEASURE)
        fiji = work / "Fiji.app"
        (fiji / "jars").mkdir(parents=True)
        installer.install(fiji)
        code = IN_PROCESS.format(root=str(ROOT), script=str(script))
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        print("in process:", run.stdout.strip() or run.stderr[-2000:])
        print(f"plain copy:  {_copy_seconds():.2f} s")
        host = Host(fiji, work / "host")
        print("Appose:    ", host.ask("script", str(script)))
        host.close()


if __name__ == "__main__":
    main()
