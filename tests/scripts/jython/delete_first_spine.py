#@output String answer
from ij.plugin.frame import RoiManager

manager = RoiManager.getInstance()
first = manager.getRoi(0).getName().split("_")[0]
manager.setSelectedIndexes([number for number in range(manager.getCount())
                            if manager.getRoi(number).getName().startswith(first)])
manager.runCommand("Delete")
answer = str(manager.getCount())
