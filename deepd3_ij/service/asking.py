"""Asking a user for parameters, in a dialog as those of the menu."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

from deepd3_ij.errors import Cancelled, FijiError
from deepd3_ij.fiji.java import java_class
from deepd3_ij.names import FIRST_VALUES
from deepd3_ij.parameters import Parameters, from_values
from deepd3_ij.service.dialogs import Section, add_dialog, dialog_of
from deepd3_ij.service.in_process import publish, run_jython, text_of_value
from deepd3_ij.service.menu import with_header

if TYPE_CHECKING:
    from deepd3_ij.fiji.session import Session

P = TypeVar("P", bound=Parameters)

_ASK = """#@ Context context
#@output String answer
import json
from deepd3_command import run

answers = []
run(globals(), TITLE, lambda fiji: answers.append(dict((name, fiji.value(name)) for name in NAMES)))
answer = json.dumps(answers)
"""


def ask_parameters(session: Session, title: str, parameters: P) -> P:
    """Ask for the parameters of a class.

    Parameters
    ----------
    session
        A visible session.
    title
        Title of the dialog.
    parameters
        Values that it begins with.

    Raises
    ------
    Cancelled
        The user gave none.
    FijiError
        The session is headless.
    """
    if session.headless:
        raise FijiError(f"{title} needs a dialog and this session is headless; give its settings, or use "
                        "connect(mode='interactive').")
    publish(session)
    cls = type(parameters)
    add_dialog(title, Section(cls))
    values = {name: text_of_value(value) for name, value in parameters.to_dict().items()}
    java_class("java.lang.System").setProperty(FIRST_VALUES, json.dumps({"command": title, "values": values}))
    fields = dialog_of(title)
    names = [field.name for field in fields.fields()]
    source = _ASK.replace("TITLE", repr(title)).replace("NAMES", repr(names))
    answers = json.loads(str(run_jython(session, with_header(source, fields)).getOutput("answer")))
    if not answers:
        raise Cancelled(f"{title} was cancelled; nothing was changed.")
    return from_values(cls, answers[0])
