"""Going through doubtful spines, one after the other: keep, delete, redraw, next, each with a key.

Jython 2.7. It is a part of the spine panel, whose table, undo and measures it uses; each decision counts at once.
"""

from deepd3_events import Acted
from deepd3_names import KEPT, REDRAWN
from deepd3_rois import spine_of
from deepd3_shapes import is_part
from ij import IJ
from ij.gui import Roi
from java.awt import BorderLayout, Color, Dimension, FlowLayout, Font
from java.lang import Short
from javax.swing import BorderFactory, JButton, JLabel, JPanel

DELETED = "deleted"
_DECISIONS = (KEPT, DELETED, REDRAWN)
_MEASURES = ((u"confidence", "confidence", u"%.2f"), (u"length", "length_um", u"%.2f \u00b5m"))


class Review(object):
    """The spines to look at, in their order, and the part of the panel that tells where one is.

    panel: the spine panel.
    """

    def __init__(self, panel, ids):
        self._panel = panel
        self._ids = list(ids)
        self._at = 0
        self.bar = self._build()

    def _build(self):
        bar = JPanel(BorderLayout())
        bar.setName("review")
        bar.setAlignmentX(0.0)
        bar.setBorder(BorderFactory.createCompoundBorder(
            BorderFactory.createMatteBorder(1, 0, 1, 0, Color.GRAY), BorderFactory.createEmptyBorder(4, 0, 4, 0)))
        self._text = JLabel(u" ")
        self._text.setName("review.text")
        self._text.setFont(self._text.getFont().deriveFont(Font.PLAIN))
        self._text.setVerticalAlignment(JLabel.TOP)
        self._text.setBorder(BorderFactory.createEmptyBorder(0, 4, 2, 4))
        lines = 3 * self._text.getFontMetrics(self._text.getFont()).getHeight() + 4
        self._text.setPreferredSize(Dimension(0, lines))  # whatever it says, the buttons stay where they are
        bar.add(self._text, BorderLayout.NORTH)
        row = JPanel(FlowLayout(FlowLayout.LEFT, 4, 2))
        for text, tip, action in (("Keep", "It is a spine, as it is outlined (K)", self.keep),
                                  ("Delete it", "It is no spine (Delete key)", self._panel.delete),
                                  ("Redraw", "An outline that is drawn on the image takes its place (R)", self.redraw),
                                  ("Next", "Decide later (N, right arrow)", self.next),
                                  ("Back", "Go back (P, left arrow)", self.previous),
                                  ("End", "End the review (Esc)", self.end)):
            button = JButton(text)
            button.setToolTipText(tip)
            button.setFocusable(False)  # keys go on to count for the spines
            button.addActionListener(Acted(action))
            row.add(button)
        bar.add(row, BorderLayout.CENTER)
        bar.setMaximumSize(Dimension(Short.MAX_VALUE, bar.getPreferredSize().height))
        return bar

    # Where one is

    def begin(self):
        """Go to the first spine that is not decided."""
        self._at = -1
        first = self.following()
        self._at = 0
        self._go(first or self._ids[:1])

    def following(self):
        """The next spine that is not decided, as a list; empty after the last one."""
        return [spine for spine in self._ids[self._at + 1:] if self._decision(spine) is None][:1]

    def follow(self, selected):
        """Take part in a selection that was made elsewhere."""
        if len(selected) == 1 and selected[0] in self._ids:
            self._at = self._ids.index(selected[0])
        self.tell()

    def tell(self):
        """Tell which spine it is, what is known of it and what was decided."""
        spine, panel = self._ids[self._at], self._panel
        known = [u"%s %s" % (name, form % panel.measured(spine, measure)) for name, measure, form in _MEASURES
                 if panel.measured(spine, measure) is not None]
        quality = panel.measured(spine, "quality")
        known += [quality.replace(u";", u", ")] if quality else []
        decision = self._decision(spine)
        text = u"<b>Spine %d</b>, %d of %d to review%s%s" % (
            spine, self._at + 1, len(self._ids), u": " + u", ".join(known) if known else u"",
            u" - <b>%s</b>" % decision if decision else u"")
        counts = [len([each for each in self._ids if self._decision(each) == kind]) for kind in _DECISIONS]
        left = len(self._ids) - sum(counts)
        text += u"<br>" + u", ".join(u"%d %s" % each for each in zip(counts, _DECISIONS)) + (
            u", %d left" % left if left else u"; none is left, Esc ends the review")
        self._text.setText(u"<html>%s</html>" % text)

    def _decision(self, spine):
        if spine not in self._panel.ids():
            return DELETED
        return self._panel.spines.by_hand()["reviewed"].get(spine)

    def _go(self, ids):
        if ids:
            self._panel.select(ids)
        else:
            self.tell()

    # What buttons and keys do; deleting is the panel's

    def keep(self):
        """The spine is right."""
        spine = self._ids[self._at]
        if spine in self._panel.ids():
            self._panel.keep(spine)
            self._go(self.following())

    def redraw(self):
        """Let the outline that is drawn on the image take the spine's place; else tell how to draw one."""
        spine, image = self._ids[self._at], self._panel.looked_at()
        roi = image.getRoi()
        if spine not in self._panel.ids():
            return
        if roi is None or not roi.isArea() or roi.getState() == Roi.CONSTRUCTING or spine_of(roi) or is_part(roi):
            image.deleteRoi()
            IJ.setTool("freehand")
            self._panel.say(u"Draw the outline of spine %d on the image, in one of its planes, then press R again."
                            % spine)
            return
        self._panel.redraw(spine, image, self.following() or [spine])

    def next(self):
        """Leave it undecided."""
        self._step(1)

    def previous(self):
        """Go back to the one before."""
        self._step(-1)

    def _step(self, step):
        there = [number for number in range(len(self._ids)) if self._ids[number] in self._panel.ids()
                 and (number - self._at) * step > 0]
        if there:
            self._go([self._ids[min(there) if step > 0 else max(there)]])
        else:
            self._panel.say(u"That was the %s one; Esc ends the review." % (u"last" if step > 0 else u"first"))

    def end(self):
        """End the review, and tell what was decided."""
        counts = [len([each for each in self._ids if self._decision(each) == kind]) for kind in _DECISIONS]
        self._panel.end_review()
        self._panel.say(u"%d spines reviewed: %s" % (len(self._ids), u", ".join(
            u"%d %s" % each for each in zip(counts, _DECISIONS))))
