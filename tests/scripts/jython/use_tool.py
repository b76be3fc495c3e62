#@ String name
#@output String answer
from ij import IJ

IJ.setTool(name)
answer = IJ.getToolName()
