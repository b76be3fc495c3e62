"""Results as a whole: what belongs to an image, building, exporting, saving, loading.

Jython 2.7.
"""

from deepd3_errors import DeepD3Error
from deepd3_images import (
    describe,
    maps,
    new_prediction,
    pixels,
    prediction_values,
    segmented_pixels,
    shape_of,
    stem_of,
)
from deepd3_names import MERGED, ROLE
from deepd3_rois import decoded
from deepd3_shapes import shapes_of, show_shapes, take_moved
from deepd3_spines import Spines, show_rois
from deepd3_tables import show_tables
from deepd3_texts import name_of, quoted
from java.awt import GraphicsEnvironment

MEASURED = ("measurements",)
MEASURED_WITH = "deepd3.measured_with"
_MOST_NAMES = 8


def gathered(fiji, image, needs):
    """Values and arrays of what is needed and belongs to an image; the stack only if it is open.

    needs: some of 'stack', 'prediction', 'rois' and 'measurements', which are made of the other three and of what
    a person decided.
    """
    spines = Spines(fiji.images, image)
    decided = {}
    if "measurements" in needs:
        needs = ("stack", "prediction", "rois")
        take_moved(spines)
        decided = {"by_hand": spines.by_hand()}
    where = spines.anchor if "rois" in needs else image
    values, arrays = dict(decided, image=describe(where), shape=shape_of(where)), {}
    if "rois" in needs:
        values["rois"], arrays["outlines"], notes = spines.values()
        fiji.notes += notes
    if "prediction" in needs:
        prediction = fiji.images.prediction_of(image)
        values.update(prediction_values(prediction), shape=shape_of(prediction))
        arrays.update(maps(prediction))
    if "stack" in needs:
        prediction = fiji.images.prediction_of(image)
        stack = fiji.images.stack_of(prediction)
        if prediction.getProp(ROLE) == MERGED:
            arrays["stack"] = pixels(prediction, 1)
        elif stack is not None:
            values["stack_image"] = describe(stack)
            arrays["stack"] = segmented_pixels(stack, prediction)
    return values, arrays


def doubtful(fiji, image, again):
    """Numbers of the spines of an image, the most doubtful first; again: also those that were reviewed."""
    spines = Spines(fiji.images, image)
    reply, _ = _measure(fiji, image, spines.anchor.getProperty(MEASURED_WITH) or fiji.choices())
    reviewed = {} if again else spines.by_hand()["reviewed"]
    ids = [spine for spine in reply["doubtful"] if spine not in reviewed]
    if not ids:
        raise DeepD3Error(u"There is no spine of %s to review%s." % (
            quoted(image), u"; tick 'Also those reviewed before' to see them again" if reviewed else u""))
    return ids


def profile(fiji, image, spine):
    """(What the service says, the light along a spine); measured as the tables were."""
    reply, arrays = _measure(fiji, image, Spines(fiji.images, image).anchor.getProperty(MEASURED_WITH)
                             or fiji.choices(), "spine_profile", number=spine)
    return reply, arrays["profile"]


def _measure(fiji, image, choices, verb="measure", **more):
    values, arrays = gathered(fiji, image, MEASURED)
    values.pop("shape")
    return fiji.call(verb, dict(values, choices=choices, **more), arrays)


def measured(fiji, image):
    """Measure what belongs to an image; shows tables and shapes, and gives what the service answered."""
    choices = fiji.choices()
    reply, tables = _measure(fiji, image, choices)
    spines = Spines(fiji.images, image)
    spines.anchor.setProperty(MEASURED_WITH, choices)
    show_tables(reply, tables, image, fiji.images)
    show_shapes(spines, shapes_of(reply, tables))
    if not GraphicsEnvironment.isHeadless():
        from deepd3_panel import tell_measures  # without windows, its classes cannot be loaded
        tell_measures(spines, reply, tables)
    return reply, tables


def build(fiji, verb):
    """Build ROIs from a prediction and show them; corrections are kept or replaced as the user says."""
    prediction = fiji.image
    spines = Spines(fiji.images, prediction)
    values, arrays = dict(prediction_values(prediction), choices=fiji.choices()), maps(prediction)
    if corrections_to_keep(fiji, spines):
        both, outlines = spines.before_and_now()
        values.update(both)
        arrays.update(outlines)
    reply, received = fiji.call(verb, values, arrays)
    show_rois(fiji.images, prediction, reply, received, detected_rois(reply, received))
    fiji.say(built_summary(reply))
    fiji.open_panel()


def detected_rois(reply, arrays):
    """What was found, where corrections were merged into it; else None."""
    if "detected_lengths" not in reply:
        return None
    return decoded(reply["detected_lengths"], arrays["detected"]) if reply["detected_lengths"] else []


def built_summary(reply):
    """What was built, in a sentence."""
    text = u"%d ROIs" % reply["count"]
    if "kept" in reply:
        text += u"; kept of your corrections: %(corrected)d changed or added, %(deleted)d deleted" % reply["kept"]
    return text


def corrections_to_keep(fiji, spines):
    """Whether there are corrections that shall be kept; Cancelled if the user wants neither that nor to lose them."""
    if not spines.corrected():
        return False
    answer = fiji.value("corrections")
    if answer != "replace" and shape_of(spines.anchor) != shape_of(fiji.image):
        raise DeepD3Error(u"The corrected ROIs lie on %s, which has other planes than %s; save them with Save DeepD3 "
                          u"Results... and choose 'replace' for Corrected ROIs." % (quoted(spines.anchor),
                                                                                   quoted(fiji.image)))
    if answer == "ask":
        answer = fiji.ask_to_keep(u"The ROIs of %s were corrected by hand. Keep the corrections and merge them into "
                                  u"the new ROIs, or replace all of them?" % quoted(spines.anchor), "corrections")
    return answer == "merge"


def may_write(fiji, kinds, folder, stem):
    """Whether files that are there are to be replaced; Cancelled if the user does not want that."""
    if fiji.value("overwrite"):
        return True
    there = fiji.call("existing_files", {"what": kinds, "folder": folder, "stem": stem})[0]["files"]
    if not there:
        return False
    names = [name_of(path) for path in there]
    listed = u", ".join(names[:_MOST_NAMES]) + (u" and %d more" % (len(names) - _MOST_NAMES)
                                               if len(names) > _MOST_NAMES else u"")
    if not fiji.can_ask():
        raise DeepD3Error(u"%s is there already; choose another folder, or write overwrite=true." % there[0])
    fiji.ask_to_replace(u"In %s there %s already: %s." % (folder, u"is" if len(names) == 1 else u"are", listed))
    return True


def export(fiji, what, needs):
    """Write files of a kind that is made of what it needs; tells which."""
    image = fiji.image
    folder, stem = _folder_of(fiji, image), stem_of(image)
    overwrite = may_write(fiji, [what], folder, stem)
    values, arrays = gathered(fiji, image, needs)
    reply, _ = fiji.call("export", dict(
        values, what=what, folder=folder, stem=stem, choices=fiji.choices(), overwrite=overwrite), arrays)
    fiji.say(written(reply["files"]))


def save(fiji):
    """Write .prediction and, if there are ROIs, .rois."""
    image = fiji.image
    folder, stem = _folder_of(fiji, image), stem_of(image)
    has_rois = Spines(fiji.images, image).provenance() is not None
    overwrite = may_write(fiji, ["prediction_file"] + (["rois_file"] if has_rois else []), folder, stem)
    values, arrays = gathered(fiji, image, ("prediction", "rois") if has_rois else ("prediction",))
    values.pop("shape")
    reply, _ = fiji.call("save", dict(values, folder=folder, stem=stem, overwrite=overwrite), arrays)
    fiji.images.prediction_of(image).changes = False
    fiji.say(written(reply["files"]))


def written(paths):
    """Which files were written, in a sentence."""
    if not paths:
        return u"no file was written"
    folders = sorted(set(path[:-len(name_of(path))] for path in paths))
    names = u", ".join(name_of(path) for path in paths)
    return u"wrote into %s: %s" % (folders[0], names) if len(folders) == 1 else u"wrote " + u", ".join(paths)


def load(fiji, image, path):
    """Read a .prediction or .rois file onto an image; a prediction becomes an image of its own."""
    values = {"path": path}
    if image is not None:
        image = fiji.images.stack_of(image) or image
        values.update(image=describe(image), shape=shape_of(image))
    reply, arrays = fiji.call("load", values)
    if reply["kind"] == "prediction":
        fiji.images.display_prediction(new_prediction(arrays, reply, image, None if image else name_of(path)), image)
        return
    if image is None:
        raise DeepD3Error("ROIs need the image that they lie on; open the stack or the prediction first.")
    where = fiji.images.prediction_or_none(image) or image  # ROIs can lie on the stack alone
    spines = Spines(fiji.images, where)
    if spines.corrected() and fiji.can_ask():
        fiji.ask_to_replace(u"The ROIs of %s were corrected by hand." % quoted(spines.anchor), recorded=None)
    show_rois(fiji.images, where, reply, arrays)
    fiji.say(u"%d ROIs" % reply["count"])
    fiji.open_panel()


def _folder_of(fiji, image):
    """Folder for files: the one of the dialog, else that of the stack's file."""
    folder = fiji.value("folder")
    for each in (fiji.images.stack_of(image), image):
        information = each.getOriginalFileInfo() if each is not None and not folder else None
        if information is not None and information.directory:
            folder = information.directory
    if not folder:
        raise DeepD3Error(u"%s comes from no file; choose a folder for the results." % quoted(image))
    return folder
