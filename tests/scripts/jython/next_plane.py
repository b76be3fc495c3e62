#@output String answer
from ij import WindowManager

image = WindowManager.getCurrentImage()
image.setZ(2)
answer = "plane %d" % image.getZ()
