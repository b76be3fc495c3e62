#@ String plane
#@output String answer
from ij import WindowManager

image = WindowManager.getCurrentImage()
image.setZ(int(plane))
answer = "plane %d" % image.getZ()
