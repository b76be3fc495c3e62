"""What the user set in DeepD3 Settings...; SciJava keeps it with the values of that dialog.

Jython 2.7.
"""

import json

from deepd3_errors import DeepD3Error
from deepd3_settings_fields import FIELDS
from java.lang import Integer, String
from org.scijava.module import DefaultMutableModuleInfo, DefaultMutableModuleItem, ModuleService

COMMAND = "DeepD3 Settings..."
SETUP = "DeepD3 Setup..."
KINDS = {"python": String, "threads": Integer, "model": String, "double_click": String, "folder": String}


class Settings(object):
    """Settings by name; None is 'as it comes'.

    python: the program that is started instead of the one that DeepD3 Setup... stored.
    threads: how many processors Python may use.
    model: name or file of the model that 'default' stands for.
    double_click: 'false' if a double click on an image shall not open Test 3D ROIs.
    folder: where the last file was chosen.
    """

    def __init__(self, context):
        self._modules = context.service(ModuleService)

    def read(self, name):
        """A setting as text or number, None if it is not set."""
        value = self._modules.load(_item(name))
        if value is None or unicode(value) in (u"", u"0"):
            return None
        return value if name == "threads" else unicode(value)

    def write(self, name, value):
        """Change a setting; None takes it back."""
        kind = KINDS[name]
        self._modules.save(_item(name), None if value is None else kind(value))

    def fields(self, typed, models):
        """What the dialog of the settings shows, in the form of the service's dialogs, given the texts that were typed.

        Python has no part in this, as these settings mend what keeps it from starting.
        """
        reply = json.loads(FIELDS)
        for item in reply["fields"]:
            name = item["name"]
            value = self.read(name)
            item["origin"] = "default" if value is None else "kept"
            if name in typed:
                value, item["origin"] = typed[name].strip() or None, "typed"
            if name == "threads":
                value = _whole(item, value or 0)
            elif name == "double_click":
                value = value != u"false"
            elif name == "model":
                item["suggestions"] = models
            item["value"] = value
        return reply


def _whole(item, value):
    try:
        number = int(value)
    except ValueError:
        number = None
    if number is None or not item["low"] <= number <= item["high"]:
        raise DeepD3Error(u"%s is %s; accepted: %s." % (item["name"], value, item["accepted"]))
    return number


def _item(name):
    item = DefaultMutableModuleItem(DefaultMutableModuleInfo(), name, KINDS[name])
    item.setPersistKey("deepd3.settings." + name)
    return item
