"""Results as a whole: what belongs to an image, exporting, saving, loading.

Jython 2.7.
"""

from deepd3_errors import DeepD3Error
from deepd3_images import describe, maps, new_prediction, pixels, prediction_values, shape_of, stem_of
from deepd3_names import MERGED, ROIS_PROVENANCE, ROLE
from deepd3_rois import roi_values, show_rois
from deepd3_texts import name_of, quoted

MEASURED = ("stack", "prediction", "rois")


def gathered(fiji, image, needs):
    """Values and arrays of what is needed and belongs to an image; the stack only if it is open.

    needs: some of 'stack', 'prediction', 'rois' and 'measurements', which are made of the other three.
    """
    if "measurements" in needs:
        needs = MEASURED
    values, arrays = {"image": describe(image), "shape": shape_of(image)}, {}
    if "rois" in needs:
        rois, outlines = roi_values(_with_rois(fiji, image))
        values.update(rois)
        arrays.update(outlines)
    if "prediction" in needs:
        prediction = fiji.images.prediction_of(image)
        values.update(prediction_values(prediction))
        arrays.update(maps(prediction))
    if "stack" in needs:
        prediction = fiji.images.prediction_of(image)
        if prediction.getProp(ROLE) == MERGED:
            arrays["stack"] = pixels(prediction, 1)
        elif fiji.images.stack_of(prediction) is not None:
            stack = fiji.images.stack_of(prediction)
            values["stack_image"] = describe(stack)
            arrays["stack"] = pixels(stack)
    return values, arrays


def _with_rois(fiji, image):
    """The image that carries the ROIs: the prediction, or the one that the user looks at; they need no prediction."""
    prediction = fiji.images.prediction_or_none(image)
    if prediction is None:
        return image
    for each in (prediction, image, fiji.images.stack_of(prediction)):
        if each is not None and each.getProp(ROIS_PROVENANCE) is not None:
            return each
    return image


def export(fiji, what, needs):
    """Write files of a kind that is made of what it needs; tells which."""
    image = fiji.image
    folder = _folder_of(fiji, image)
    values, arrays = gathered(fiji, image, needs)
    reply, _ = fiji.call("export", dict(
        values, what=what, folder=folder, stem=stem_of(image), choices=fiji.choices()), arrays)
    fiji.say("wrote " + ", ".join(reply["files"]))


def save(fiji):
    """Write .prediction and, if there are ROIs, .rois."""
    image = fiji.image
    folder = _folder_of(fiji, image)
    has_rois = _with_rois(fiji, image).getProp(ROIS_PROVENANCE) is not None
    values, arrays = gathered(fiji, image, ("prediction", "rois") if has_rois else ("prediction",))
    values.pop("shape")
    reply, _ = fiji.call("save", dict(values, path=folder + "/" + stem_of(image) + ".prediction"), arrays)
    fiji.images.prediction_of(image).changes = False
    fiji.say("wrote " + ", ".join(reply["files"]))


def load(fiji, image, path):
    """Read a .prediction or .rois file onto an image; a prediction becomes an image of its own."""
    values = {"path": path}
    if image is not None:
        image = fiji.images.stack_of(image) or image
        values.update(image=describe(image), shape=shape_of(image))
    reply, arrays = fiji.call("load", values)
    if reply["kind"] == "prediction":
        fiji.images.display(new_prediction(arrays, reply, image, None if image else name_of(path)))
        return
    if image is None:
        raise DeepD3Error("ROIs need the image that they lie on; open the stack or the prediction first.")
    show_rois(fiji.images.prediction_or_none(image) or image, reply, arrays)  # ROIs can lie on the stack alone


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
