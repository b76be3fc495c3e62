"""Questions with a button for each answer.

Jython 2.7. Needs windows.
"""

from deepd3_texts import wrapped
from ij import IJ
from java.lang import Runnable
from javax.swing import JOptionPane, SwingUtilities


def answer_to(question, answers):
    """Ask, and wait for one of the answers; None if the question was closed."""
    asked = _Ask(question, answers)
    if SwingUtilities.isEventDispatchThread():
        asked.run()
    else:
        SwingUtilities.invokeAndWait(asked)
    return asked.answer


class _Ask(Runnable):
    def __init__(self, question, answers):
        self._question = question
        self._answers = answers
        self.answer = None

    def run(self):
        chosen = JOptionPane.showOptionDialog(
            IJ.getInstance(), wrapped(self._question), "DeepD3", JOptionPane.DEFAULT_OPTION,
            JOptionPane.QUESTION_MESSAGE, None, self._answers, self._answers[0])
        self.answer = self._answers[chosen] if chosen >= 0 else None
