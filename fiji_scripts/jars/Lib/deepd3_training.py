"""The window of a training: its curves, what the network finds, how long it takes, and how it is ended.

Jython 2.7. Needs windows.
"""

import deepd3_transport
from deepd3_background import beside
from deepd3_chart import Chart, Pictures
from deepd3_errors import Cancelled, DeepD3Error, WorkerEndedError
from deepd3_events import Acted, Closing, on_event_thread
from deepd3_images import new_picture
from deepd3_placement import keep_on_screen, place_where_free
from deepd3_questions import answer_to
from deepd3_texts import name_of
from deepd3_windows import button_row, message_label, new_window, open_owners, show_message
from ij import IJ
from java.awt import BorderLayout, Color, FlowLayout, GridLayout
from java.util import UUID
from java.util.concurrent import LinkedBlockingQueue
from javax.swing import BorderFactory, JPanel, JProgressBar, Timer, WindowConstants

_WINDOW = "deepd3.training"
_LOOK_MS = 500
_LOSSES = (("dendrite_loss", u"dendrites", Color(190, 0, 190)), ("spine_loss", u"spines", Color(0, 140, 0)))
_SCORES = (("dendrite_dice", u"dendrites", Color(190, 0, 190)), ("spine_dice", u"spines", Color(0, 140, 0)),
           ("spine_f1", u"spines found (F1)", Color(30, 90, 200)))
_GO_ON, _KEEP, _CLOSED = u"Go on", u"Stop and keep the best", u"closed"


def open_training():
    """The window of the latest training that is open, or None."""
    return (open_owners(_WINDOW) or [None])[-1]


def train_in_window(fiji, values):
    """Train, with a window that shows it; what the service answers.

    values: of the verb 'train'. An interrupted training is offered to be gone on with, before and in the window.
    """
    values = _gone_on_with(fiji, values)
    shown = []
    on_event_thread(lambda: shown.append(TrainingWindow(fiji, name_of(values["training"]))))
    window = shown[0]
    while True:
        watched = unicode(UUID.randomUUID())
        on_event_thread(lambda: window.begin(watched))
        try:
            reply, arrays = fiji.call("train", dict(values, watched=watched))
        except (Cancelled, DeepD3Error) as error:
            values = _decided(fiji, values, window, error)
            fiji.begin_again()
            continue
        on_event_thread(lambda: window.finish(reply, arrays))
        return reply


def _decided(fiji, values, window, problem):
    """What the user wants of a training that ended with a problem; the problem itself if nothing can be gone on with.
    """
    on_event_thread(window.wait_for_answer)
    found = _left_by(fiji, values)
    if found is None or not found["same_data"]:
        on_event_thread(window.frame.dispose)
        raise problem
    on_event_thread(lambda: window.interrupted(problem, found))
    answer = window.answers.take()
    if answer == _CLOSED:
        raise Cancelled(u"stopped; what was learned until batch %d of %d is kept, and %s offers to go on" % (
            found["step"], found["steps"], fiji.command))
    return _as_begun(values, found, answer == _KEEP)


def _gone_on_with(fiji, values):
    """Ask what becomes of a training of the same model that was interrupted."""
    if values["resume"] or values["finish"]:
        return values
    reply, _ = fiji.call("interrupted_training", _about(values))
    found = reply["found"]
    if found is None:
        return values
    what = u"A training of %s was interrupted after %d of %d batches" % (reply["model"], found["step"], found["steps"])
    if found["same_data"]:
        answer = answer_to(what + u". Go on with it, with the settings that it had?",
                           [_GO_ON, u"Begin anew", u"Cancel"])
    else:
        answer = answer_to(what + u", with other training data or another model to begin with. A new training replaces "
                           u"what it has learned.", [u"Begin anew", u"Cancel"])
    if answer == _GO_ON:
        return _as_begun(values, found, False)
    if answer != u"Begin anew":
        raise Cancelled()
    return values


def _about(values):
    return dict((name, values[name]) for name in ("training", "validation", "start", "out"))


def _left_by(fiji, values):
    """What a training has left that ended with an error or was stopped; None if nothing, or nobody can tell."""
    try:
        return deepd3_transport.call(fiji.context, "interrupted_training", _about(values))[0]["found"]
    except (Cancelled, DeepD3Error):
        return None


def _as_begun(values, found, finish):
    """The values with which an interrupted training goes on, or ends with the best that it has."""
    return dict(values, resume=not finish, finish=finish,
                choices={"typed": {"TrainingParameters": found["parameters"]}})


class TrainingWindow(object):
    """The window; it stays open when the training has ended.

    answers: what the user decided about an interrupted training.
    """

    def __init__(self, fiji, name):
        self._fiji = fiji
        self._watched = None
        self._asking = False
        self._pictures = 0
        self._running = True
        self.answers = LinkedBlockingQueue()
        self.state = None
        self._timer = Timer(_LOOK_MS, Acted(self._look))
        self._build(name)

    def _build(self, name):
        self.frame = frame = new_window(_WINDOW, u"Training on " + name, self, self._closed)
        frame.setDefaultCloseOperation(WindowConstants.DO_NOTHING_ON_CLOSE)
        frame.addWindowListener(Closing(self._close))
        content = JPanel(BorderLayout(0, 8))
        content.setBorder(BorderFactory.createEmptyBorder(10, 12, 10, 12))
        curves = JPanel(GridLayout(1, 2, 8, 0))
        self.losses = Chart(u"Loss of the training samples", u"batches", None, u"after the first validation")
        self.scores = Chart(u"Validation: Dice and F1, at best 1", u"batches", 1.0,
                            u"without a validation set there is none")
        curves.add(self.losses)
        curves.add(self.scores)
        content.add(curves, BorderLayout.NORTH)
        self.pictures = Pictures((u"Image", u"Annotated", u"Found"),
                                 u"What the network finds is shown after the first validation.")
        content.add(self.pictures, BorderLayout.CENTER)
        content.add(self._foot(), BorderLayout.SOUTH)
        frame.getContentPane().add(content)
        frame.pack()
        place_where_free(frame, (frame.getWidth(), frame.getHeight()))
        keep_on_screen(frame)

    def _foot(self):
        foot = JPanel(BorderLayout(0, 6))
        self._bar = JProgressBar(0, 1)
        self._bar.setStringPainted(True)
        self._bar.setString(u"preparing")
        foot.add(self._bar, BorderLayout.NORTH)
        self._message = message_label("message", 2)
        foot.add(self._message, BorderLayout.CENTER)
        self._buttons = {}
        foot.add(button_row((
            ("go_on", _GO_ON, u"Go on where the training was stopped", lambda: self.answers.put(_GO_ON)),
            ("keep", _KEEP, u"End now, and make the model of the best weights so far", self._keep),
            ("cancel", u"Cancel", u"End now and make no model; it can be gone on with", self._cancel)),
            FlowLayout.RIGHT, self._buttons), BorderLayout.SOUTH)
        return foot

    def _offer(self, **enabled):
        """Show which buttons there are."""
        for name, button in self._buttons.items():
            button.setVisible(name in enabled)
            button.setEnabled(enabled.get(name, False))

    def say(self, text, problem=False):
        """Show a message that stays."""
        show_message(self._message, text, problem)

    # While it runs

    def begin(self, watched):
        """A training begins, which the service knows under a name."""
        self._watched = watched
        self._pictures = 0
        self._running = True
        self._buttons["cancel"].setText(u"Cancel")
        self._buttons["keep"].setText(_KEEP)
        self._offer(keep=True, cancel=True)
        self._bar.setIndeterminate(False)
        self.say(u"You can work on meanwhile; this computer is slower then.")
        self._timer.start()
        self.frame.setVisible(True)

    def _look(self):
        """Ask how it goes, unless it has not answered yet or the training has ended."""
        if self._asking or not self._running or not deepd3_transport.is_at_work(self._fiji.context):
            return
        self._asking = True
        watched = self._watched

        def finish(answer, problem):
            self._asking = False
            if answer is not None and watched == self._watched and self._running:
                self._take(*answer)

        beside(lambda: deepd3_transport.call(self._fiji.context, "training_state", {
            "watched": watched, "pictures": self._pictures}), finish)

    def _take(self, reply, arrays):
        state = reply.get("state_of")
        if state is None or not state["steps"]:
            return
        self.state = state
        for chart, kinds in ((self.losses, _LOSSES), (self.scores, _SCORES)):
            curves = [(label, colour, [(row["step"], row[name]) for row in state["log"] if name in row])
                      for name, label, colour in kinds]
            chart.show_curves([curve for curve in curves if curve[2]], state["steps"])
        self._bar.setMaximum(state["steps"])
        self._bar.setValue(state["step"])
        left = state["seconds_left"]
        self._bar.setString(u"%d of %d batches%s" % (state["step"], state["steps"], u"" if left is None or not left
                                                     else u", %s left" % duration(left)))
        if "picture" in arrays:
            self._pictures = state["pictures"]
            self.pictures.show_picture(new_picture(arrays["picture"], "picture").getImage())
            self.pictures.setToolTipText(u"Part of " + state["shows"])

    def _keep(self):
        if not self._running:
            self.answers.put(_KEEP)
            return
        self._buttons["keep"].setEnabled(False)
        self.say(u"The training ends; one more validation, then the model is made.")
        watched = self._watched
        beside(lambda: deepd3_transport.call(self._fiji.context, "end_training", {"watched": watched}),
               lambda answer, problem: self.say(problem, True) if problem else None)

    def _cancel(self):
        if not self._running:
            self.frame.dispose()
            return
        self._fiji.stop()
        self.wait_for_answer()

    def _close(self):
        """The window's own button was pressed."""
        if not self._running:
            self.frame.dispose()
            return
        answer = answer_to(u"The training is under way.", [u"Let it go on", _KEEP, u"Cancel the training"])
        if self._running and answer == _KEEP:
            self._keep()
        elif self._running and answer == u"Cancel the training":
            self._cancel()

    def _closed(self):
        self._timer.stop()
        self.answers.put(_CLOSED)

    # When it has ended

    def wait_for_answer(self):
        """It is being stopped."""
        self._offer(keep=False, cancel=False)
        self.say(u"stopping\u2026")

    def _end(self):
        self._running = False
        self._timer.stop()
        self._buttons["cancel"].setText(u"Close")

    def interrupted(self, problem, found):
        """It was stopped, or went wrong; what was found can be gone on with."""
        self._end()
        if isinstance(problem, Cancelled):
            reason = u"The training was stopped."
        elif isinstance(problem, WorkerEndedError):
            reason = u"Python ended during the training; perhaps the computer has too little memory."
        else:
            reason = problem.message
        if getattr(problem, "trace", None):
            IJ.log(problem.trace)
        self.say(u"%s What was learned until batch %d of %d is kept." % (reason, found["step"], found["steps"]),
                 not isinstance(problem, Cancelled))
        self._bar.setMaximum(found["steps"])
        self._bar.setValue(found["step"])
        self._bar.setString(u"stopped after %d of %d batches" % (found["step"], found["steps"]))
        self._buttons["keep"].setText(u"Keep the best so far")
        self._offer(go_on=found["step"] < found["steps"], keep=True, cancel=True)

    def finish(self, reply, arrays):
        """The model is there."""
        self._take(reply, arrays)
        self._end()
        self._bar.setString(u"done after %d batches" % self._bar.getValue())
        scores = [u"%s %.2f" % (_score_name(name), value) for name, value in sorted(reply["scores"].items())
                  if isinstance(value, float)]
        self.say(u"Wrote %s (%s, measured on the %s)." % (
            reply["model"], u", ".join(scores), reply["scores"]["measured_on"]))
        self._offer(cancel=True)


def _score_name(name):
    return name.replace("_", " ").replace("dice", "Dice").replace("f1", "F1")


def duration(seconds):
    """A time in words: seconds, minutes, or hours and minutes."""
    if seconds < 90:
        return u"%d s" % max(1, round(seconds))
    minutes = int(round(seconds / 60.0))
    return u"%d min" % minutes if minutes < 90 else u"%d h %02d min" % divmod(minutes, 60)
