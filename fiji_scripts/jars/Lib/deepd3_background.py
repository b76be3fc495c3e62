"""Work of a window beside the event thread, whose end is told there.

Jython 2.7.
"""

import sys
import traceback

from deepd3_errors import Cancelled, DeepD3Error
from deepd3_events import in_background, later
from deepd3_texts import unicode_of
from ij import IJ
from java.lang import Throwable


def beside(work, finish):
    """Do something beside the event thread; then, on it, finish(what it gave, None), or finish(None, what went wrong).

    What went wrong is one sentence; the trace of what nobody expected goes to the Log.
    """
    def run():
        found, problem = None, None
        try:
            found = work()
        except DeepD3Error as error:
            problem = error.message
        except Cancelled:
            problem = u"stopped; nothing was changed"
        except (Exception, Throwable):  # this thread has nobody else to tell
            IJ.log(unicode_of(traceback.format_exc()))
            problem = u"Unexpected error: %s. The Log window has the details; please report them." % (
                unicode_of(sys.exc_info()[1]).strip().split("\n")[0])
        later(lambda: finish(found, problem))

    in_background(run)
