"""What the user set in DeepD3 Settings...; SciJava keeps it with the values of that dialog.

Jython 2.7.
"""

from java.lang import Integer, String
from org.scijava.module import DefaultMutableModuleInfo, DefaultMutableModuleItem, ModuleService

KINDS = {"python": String, "threads": Integer, "model": String}


class Settings(object):
    """Settings by name; None is 'as it comes'.

    python: the program that is started instead of the one that install-fiji stored.
    threads: how many processors Python may use.
    model: name or file of the model that 'default' stands for.
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


def _item(name):
    item = DefaultMutableModuleItem(DefaultMutableModuleInfo(), name, KINDS[name])
    item.setPersistKey("deepd3.settings." + name)
    return item
