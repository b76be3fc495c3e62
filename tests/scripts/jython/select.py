#@output String answer
from ij import WindowManager

WindowManager.getCurrentImage().setRoi(10, 8, 40, 30)
answer = "selected"
