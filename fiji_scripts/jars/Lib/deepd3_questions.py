"""Questions with a button for each answer.

Jython 2.7. Needs windows.
"""

from deepd3_events import on_event_thread
from deepd3_texts import wrapped
from ij import IJ
from javax.swing import JOptionPane


def answer_to(question, answers):
    """Ask, and wait for one of the answers; None if the question was closed."""
    chosen = []
    on_event_thread(lambda: chosen.append(JOptionPane.showOptionDialog(
        IJ.getInstance(), wrapped(question), "DeepD3", JOptionPane.DEFAULT_OPTION, JOptionPane.QUESTION_MESSAGE, None,
        answers, answers[0])))
    return answers[chosen[0]] if chosen[0] >= 0 else None
