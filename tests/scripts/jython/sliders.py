#@output String answer
"""Of each image with a slider for planes: the plane that is shown and the one that the slider says."""

import json

from ij import WindowManager
from ij.gui import StackWindow
from java.lang import NoSuchFieldException


def slider_of(window):
    kind = window.getClass()
    while kind is not None:
        try:
            field = kind.getDeclaredField("zSelector")
            field.setAccessible(True)
            return field.get(window)
        except NoSuchFieldException:
            kind = kind.getSuperclass()
    return None


images = [WindowManager.getImage(number) for number in WindowManager.getIDList() or ()]
answer = json.dumps([[image.getZ(), slider_of(image.getWindow()).getValue()] for image in images
                     if isinstance(image.getWindow(), StackWindow)])
