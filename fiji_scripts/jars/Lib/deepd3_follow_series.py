"""Followed spines as the service tells them: tracks, their places at each time point, and what one decides about them.

Jython 2.7, without a word of Java. A place is (track, time point), the latter counted from 0.
"""

from deepd3_errors import DeepD3Error

LINK, CUT, BAD, PRESENT, ABSENT = "link", "cut", "bad", "present", "absent"


class Series(object):
    """The answer of the service, by track and time point.

    tracks: by number, in the order in which they were told.
    names: of the time points.
    marks: what lies in the image at a place.
    """

    def __init__(self, reply):
        self.reply = reply
        self.names = [point["name"] for point in reply["time_points"]]
        self.order = [track["track_id"] for track in reply["tracks"]]
        self.tracks = dict((track["track_id"], track) for track in reply["tracks"])
        self.marks = dict(((mark["track_id"], mark["time_point"]), mark) for mark in reply["spines"])

    def classes(self):
        """Classes that occur, in the order of the alphabet."""
        return sorted(set(track["class"] for track in self.tracks.values()))

    def spine(self, place):
        """Number of the spine that was detected at a place, or None."""
        mark = self.marks.get(place)
        return None if mark is None else mark["id"]

    def place_of(self, spine, time_point):
        """Where the spine of a number was detected at a time point; None if it is none there."""
        found = [place for place, mark in self.marks.items() if place[1] == time_point and mark["id"] == spine]
        return found[0] if spine is not None and found else None

    def state(self, place):
        """What is known of a place."""
        return self.tracks[place[0]]["states"][place[1]]

    def nearest(self, track, time_point):
        """The mark of a track at the time point that is nearest to one; None if it has none."""
        times = [each for each in range(len(self.names)) if (track, each) in self.marks]
        return self.marks[track, min(times, key=lambda each: abs(each - time_point))] if times else None

    def lowest_probability(self, track):
        """The probability of the least sure link of a track, or None."""
        known = [self.marks[track, each]["link_probability"] for each in range(len(self.names))
                 if (track, each) in self.marks and self.marks[track, each]["link_probability"] is not None]
        return min(known) if known else None

    def at(self, time_point, x, y, plane):
        """Track of the mark of a time point that lies under a pixel, the nearest to a plane (from 0); or None."""
        under = [mark for (_, each), mark in self.marks.items() if each == time_point and _is_in(mark, x, y)]
        if not under:
            return None
        return min(under, key=lambda mark: (abs(mark["z_plane"] - plane), mark["track_id"]))["track_id"]

    def told(self, place):
        """A place in words."""
        spine = self.spine(place)
        if spine is None:
            return u"track %d at %s (%s)" % (place[0], self.names[place[1]], self.state(place))
        return u"spine %d of %s (track %d, %s)" % (spine, self.names[place[1]], place[0], self.state(place))

    # Decisions: rows of the file of links

    def link(self, chosen, other):
        """The two are the same spine."""
        self._needs_two(chosen, other)
        return self._row(LINK, *sorted((chosen, other), key=lambda place: place[1]))

    def cut(self, chosen, other):
        """The two are not the same spine."""
        self._needs_two(chosen, other)
        if chosen[0] != other[0]:
            raise DeepD3Error(u"Track %d and track %d are not linked; choose two places of one track." % (
                chosen[0], other[0]))
        return self._row(CUT, *sorted((chosen, other), key=lambda place: place[1]))

    def cut_beside(self, chosen, step):
        """The spine is not the one that its track is at the time point after (step 1) or before (step -1)."""
        self._needs(chosen)
        track, time_point = chosen
        while 0 <= time_point + step < len(self.names):
            time_point += step
            if self.spine((track, time_point)) is not None:
                return self._row(CUT, *sorted((chosen, (track, time_point)), key=lambda place: place[1]))
        raise DeepD3Error(u"Track %d was not detected %s %s, so there is no link to cut; use Absent where it is not."
                          % (track, u"after" if step > 0 else u"before", self.names[chosen[1]]))

    def bad(self, chosen):
        """It is no spine."""
        self._needs(chosen)
        return BAD, self.names[chosen[1]], self.spine(chosen), None, None

    def judged(self, chosen, state):
        """It is there, or not."""
        if chosen is None:
            raise DeepD3Error(u"No spine is chosen; click one in the image or in the table.")
        track, time_point = chosen
        seen = [each for each in range(len(self.names)) if self.spine((track, each)) is not None]
        if not seen:
            raise DeepD3Error(u"Track %d was detected nowhere; choose another one." % track)
        nearest = min(seen, key=lambda each: abs(each - time_point))
        return state, self.names[nearest], self.spine((track, nearest)), self.names[time_point], None

    def _row(self, action, first, second):
        return action, self.names[first[1]], self.spine(first), self.names[second[1]], self.spine(second)

    def _needs(self, place):
        if place is None:
            raise DeepD3Error(u"No spine is chosen; click one in the image or in the table.")
        if self.spine(place) is None:
            raise DeepD3Error(u"Track %d was not detected at %s; choose a time point at which it was." % (
                place[0], self.names[place[1]]))

    def _needs_two(self, chosen, other):
        self._needs(chosen)
        if other is None:
            raise DeepD3Error(u"Only %s is chosen; click a spine at another time point as well." % self.told(chosen))
        self._needs(other)


def told_row(row):
    """A row of the file in words."""
    action, name, spine, other_name, other = [u"" if value is None else value for value in row]
    if action in (LINK, CUT):
        return u"spine %s of %s is %sspine %s of %s" % (spine, name, u"" if action == LINK else u"not ", other,
                                                       other_name)
    if action == BAD:
        return u"spine %s of %s is no spine" % (spine, name)
    return u"spine %s of %s is %s at %s" % (spine, name, action, other_name)


def _is_in(mark, x, y):
    """True if a point lies within an outline (even-odd rule)."""
    inside, corners = False, mark["outline"]
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1]):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside
