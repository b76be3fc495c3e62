from ij import IJ
from ij.plugin.frame import Recorder

if Recorder.getInstance() is None:
    IJ.run("Record...", "")
