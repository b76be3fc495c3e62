#@output String answer
from ij import IJ, WindowManager
from ij.plugin.frame import RoiManager
from java.awt import Frame, GraphicsEnvironment

for number in WindowManager.getIDList() or ():
    image = WindowManager.getImage(number)
    image.changes = False
    image.close()
for frame in Frame.getFrames():
    if frame.getName() in ("deepd3.annotator", "deepd3.arranger", "deepd3.training", "deepd3.training_data"):
        frame.dispose()
if RoiManager.getInstance() is not None:
    RoiManager.getInstance().reset()
if not GraphicsEnvironment.isHeadless():
    IJ.setTool("rectangle")
answer = "closed"
