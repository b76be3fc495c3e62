#@output String answer
from ij import WindowManager
from ij.plugin.frame import RoiManager

for number in WindowManager.getIDList() or ():
    image = WindowManager.getImage(number)
    image.changes = False
    image.close()
if RoiManager.getInstance() is not None:
    RoiManager.getInstance().reset()
answer = "closed"
