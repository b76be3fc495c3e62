"""What a header states of axes, sizes and voxel size wins over the order of pages."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from deepd3_ij import open_stack
from deepd3_ij.errors import ChannelError, StackError

SIZE = {"xy_um": 0.1, "z_um": 1.0}


def write_pages(path: Path, pages: np.ndarray, description: str | None = None, software: str | None = None) -> Path:
    with tifffile.TiffWriter(path) as writer:
        for page in pages:
            writer.write(page, contiguous=False, photometric="minisblack", description=description, software=software,
                         metadata=None)
    return path


def numbered(count: int) -> np.ndarray:
    """Pages whose pixels are their number."""
    return np.arange(count, dtype=np.int16)[:, None, None] * np.ones((1, 8, 9), np.int16)


def planes_of(path: Path, **options: int) -> list[int]:
    return open_stack(path, **SIZE, **options)[:, 0, 0].values.tolist()


# ---------------------------------------------------------------- ScanImage

SCANIMAGE_3 = ("state.configPath=''\rstate.software.version=3.8\rstate.acq.numberOfChannelsSave={channels}\r"
               "state.acq.numberOfZSlices={slices}\rstate.acq.numberOfFrames={frames}\rstate.acq.averaging={averaging}\r"
               "state.acq.zStepSize=1.5\r")


def scanimage_3(channels: int = 1, slices: int = 1, frames: int = 1, averaging: int = 0) -> str:
    return SCANIMAGE_3.format(channels=channels, slices=slices, frames=frames, averaging=averaging)


def scanimage_5(channels: str, slices: int, **entries: object) -> str:
    lines = {"hChannels.channelSave": channels, "hStackManager.numSlices": slices, **entries}
    return "\n".join(f"SI.{name} = {value}" for name, value in lines.items())


def test_channels_of_scanimage_3_are_no_planes(tmp_path):
    path = write_pages(tmp_path / "a.tif", numbered(12), scanimage_3(channels=2, slices=6))
    with pytest.raises(ChannelError, match="2 channels; choose one"):
        open_stack(path, **SIZE)
    assert planes_of(path, channel=1) == [1, 3, 5, 7, 9, 11]
    assert open_stack(path, channel=0, xy_um=0.1).attrs["voxel_size_um"] == (1.5, 0.1, 0.1)


def test_frames_of_scanimage_3_that_were_averaged_are_one_page(tmp_path):
    path = write_pages(tmp_path / "a.tif", numbered(6), scanimage_3(slices=6, frames=4, averaging=1))
    assert planes_of(path) == [0, 1, 2, 3, 4, 5]


def test_frames_of_scanimage_that_were_kept_are_time_points(tmp_path):
    path = write_pages(tmp_path / "a.tif", numbered(6), scanimage_3(slices=3, frames=2))
    with pytest.raises(ChannelError, match="2 time points; choose one"):
        open_stack(path, **SIZE)
    assert planes_of(path, frame=1) == [1, 3, 5]


@pytest.mark.parametrize("saved", ["[1;2]", "[1 2]", "[1,2]"])
def test_channels_of_newer_scanimage_are_no_planes(tmp_path, saved):
    header = scanimage_5(saved, 4, **{"hStackManager.framesPerSlice": 1, "hStackManager.stackZStepSize": 0.75})
    path = write_pages(tmp_path / "a.tif", numbered(8), "frameNumbers = 1", header)
    assert planes_of(path, channel=0) == [0, 2, 4, 6]
    assert open_stack(path, channel=0, xy_um=0.1).attrs["voxel_size_um"][0] == 0.75


def test_volumes_of_a_fast_scanimage_stack_are_time_points_without_the_mirrors_way_back(tmp_path):
    header = scanimage_5("1", 3, **{"hFastZ.enable": "true", "hStackManager.numVolumes": 2,
                                    "hStackManager.numFramesPerVolumeWithFlyback": 5})
    path = write_pages(tmp_path / "a.tif", numbered(10), "", header)
    assert planes_of(path, frame=0) == [0, 1, 2]
    assert planes_of(path, frame=1) == [5, 6, 7]


def test_the_field_of_view_of_scanimage_gives_the_pixel_size(tmp_path):
    header = scanimage_5("1", 2, **{"hRoiManager.imagingFovUm": "[-4.5 -4;4.5 -4;4.5 4;-4.5 4]",
                                    "hStackManager.stackZStepSize": 2})
    path = write_pages(tmp_path / "a.tif", numbered(2), "", header)
    assert open_stack(path).attrs["voxel_size_um"] == (2, 1, 1)


def test_a_scanimage_stack_that_was_stopped_early_says_so(tmp_path):
    path = write_pages(tmp_path / "a.tif", numbered(8), scanimage_3(channels=2, slices=6))
    stack = open_stack(path, channel=0, **SIZE)
    assert stack[:, 0, 0].values.tolist() == [0, 2, 4, 6]
    assert "announces 6 planes, 4 were recorded" in stack.attrs["notes"][0]


def test_a_scanimage_header_that_does_not_fit_the_pages_is_refused(tmp_path):
    path = write_pages(tmp_path / "a.tif", numbered(7), scanimage_3(channels=2, slices=6))
    with pytest.raises(StackError, match=r"contradicts itself: .*2 channels, 6 planes.* 7 pages"):
        open_stack(path, channel=0, **SIZE)


def test_channels_of_scanimage_4_in_the_description_are_no_planes(tmp_path):
    text = "scanimage.SI4.channelsSave = [1;3]\nscanimage.SI4.stackNumSlices = 3\nscanimage.SI4.acqNumFrames = 1\n"
    path = write_pages(tmp_path / "a.tif", numbered(6), text)
    assert planes_of(path, channel=1) == [1, 3, 5]


# ---------------------------------------------------------------- OME

OME = ('<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
       'UUID="urn:uuid:{uuid}">{content}</OME>')
PIXELS = ('<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="int16" SizeX="9" SizeY="8" '
          'SizeC="{c}" SizeZ="{z}" SizeT="1" PhysicalSizeX="0.12" PhysicalSizeY="0.12" PhysicalSizeZ="1.0">'
          '{data}</Pixels></Image>')


def ome(c: int, z: int, data: str = "<TiffData/>", uuid: str = "1") -> str:
    return OME.format(uuid=uuid, content=PIXELS.format(c=c, z=z, data=data))


def companion(folder: Path, *, data: str | None = None) -> Path:
    data = data or '<TiffData IFD="0" PlaneCount="6"><UUID FileName="a.ome.tif">urn:uuid:2</UUID></TiffData>'
    reference = '<BinaryOnly MetadataFile="a.companion.ome" UUID="urn:uuid:3"/>'
    path = write_pages(folder / "a.ome.tif", numbered(6), OME.format(uuid=2, content=reference))
    (folder / "a.companion.ome").write_text(ome(2, 3, data, uuid="3"))
    return path


def test_the_companion_of_an_ome_tiff_gives_axes_and_voxel_size(tmp_path):
    path = companion(tmp_path)
    with pytest.raises(ChannelError, match="2 channels; choose one"):
        open_stack(path)
    stack = open_stack(path, channel=1)
    assert stack[:, 0, 0].values.tolist() == [1, 3, 5]
    assert stack.attrs["voxel_size_um"] == (1.0, 0.12, 0.12)


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_an_ome_tiff_without_its_companion_names_it(tmp_path, damage):
    path = companion(tmp_path)
    if damage == "missing":
        (tmp_path / "a.companion.ome").unlink()
    else:
        (tmp_path / "a.companion.ome").write_bytes(b"<OME><Image")
    with pytest.raises(StackError, match=r"a\.companion\.ome"):
        open_stack(path, channel=0, **SIZE)


def test_a_companion_outside_of_the_folder_is_not_read(tmp_path):
    (tmp_path / "in").mkdir()
    path = companion(tmp_path / "in")
    (tmp_path / "in" / "a.companion.ome").rename(tmp_path / "b.companion.ome")
    path = write_pages(path, numbered(6), OME.format(uuid=2, content='<BinaryOnly MetadataFile="../b.companion.ome"/>'))
    with pytest.raises(StackError, match=r"b\.companion\.ome does not exist"):
        open_stack(path, channel=0, **SIZE)


@pytest.mark.parametrize("name", ["D:\\data\\old.ome.tif", "/data/old.ome.tif", "./a.ome.tif", "old.ome.tif"])
def test_an_ome_tiff_may_have_been_moved_or_renamed(tmp_path, name):
    data = "".join(f'<TiffData IFD="{z}" FirstZ="{z}" PlaneCount="1"><UUID FileName="{name}">urn:uuid:1</UUID>'
                   "</TiffData>" for z in range(4))
    path = write_pages(tmp_path / "a.ome.tif", numbered(4), ome(1, 4, data))
    assert planes_of(path) == [0, 1, 2, 3]


@pytest.mark.parametrize(("change", "told"), [
    (lambda text: text[:-12], "no well-formed XML"),
    (lambda text: text.replace("<Image ", "<Image <", 1), "no well-formed XML"),
    (lambda text: text.replace('"XYCZT"', '"XYZ"'), "order of axes"),
    (lambda text: text.replace('SizeX="9"', 'SizeX="nine"'), "invalid literal"),
])
def test_damaged_ome_metadata_cost_the_metadata_and_not_the_pixels(tmp_path, change, told):
    path = write_pages(tmp_path / "a.ome.tif", numbered(4), change(ome(1, 4)))
    stack = open_stack(path, **SIZE)
    assert stack[:, 0, 0].values.tolist() == [0, 1, 2, 3]
    assert told in stack.attrs["notes"][0]


def test_the_sizes_of_damaged_ome_metadata_are_kept_where_they_fit(tmp_path):
    path = write_pages(tmp_path / "a.ome.tif", numbered(6), ome(2, 3)[:-12])
    with pytest.raises(ChannelError, match="2 channels"):
        open_stack(path, **SIZE)
    assert planes_of(path, channel=1) == [1, 3, 5]


def test_damaged_ome_metadata_of_channels_that_do_not_fit_the_pages_are_refused(tmp_path):
    path = write_pages(tmp_path / "a.ome.tif", numbered(5), ome(2, 3)[:-12])
    with pytest.raises(StackError, match="SizeC 2, which does not fit its 5 pages"):
        open_stack(path, channel=0, **SIZE)


@pytest.mark.parametrize("text", ["a & b", "µ\x01"])
def test_a_stray_character_in_ome_metadata_is_mended(tmp_path, text):
    content = ome(1, 2).replace('<Image ID="Image:0">', f'<Image ID="Image:0"><Description>{text}</Description>')
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        for page in numbered(2):
            writer.write(page, contiguous=False, photometric="minisblack", description=content.encode(), metadata=None)
    assert open_stack(tmp_path / "a.ome.tif").attrs["voxel_size_um"] == (1.0, 0.12, 0.12)


def test_pages_that_ome_metadata_do_not_describe_are_not_left_out_without_a_word(tmp_path):
    path = write_pages(tmp_path / "a.ome.tif", numbered(5), ome(1, 3))
    assert "5 pages, and its metadata describe 3 planes" in open_stack(path).attrs["notes"][0]


def test_ome_metadata_of_more_planes_than_pages_are_incomplete_and_not_truncated(tmp_path):
    path = write_pages(tmp_path / "a.ome.tif", numbered(5), ome(2, 3))
    with pytest.raises(StackError, match=r"incomplete: its metadata state 6 planes .* 5 pages"):
        open_stack(path, channel=0)


@pytest.mark.parametrize("content", [ome(1, 200_000_000), ome(1, 2, '<TiffData IFD="0" PlaneCount="2000000000"/>')])
def test_absurd_numbers_of_planes_are_refused_at_once(tmp_path, content):
    path = write_pages(tmp_path / "a.ome.tif", numbered(2), content)
    with pytest.raises(StackError, match="2 pages"):
        open_stack(path)


# ---------------------------------------------------------------- ImageJ

def imagej(path: Path, pages: np.ndarray, header: str) -> Path:
    tifffile.imwrite(path, pages, photometric="minisblack", metadata=None, resolution=(10, 10), resolutionunit=1,
                     description=f"ImageJ=1.53t\n{header}unit=micron\nspacing=0.5\n".encode())
    return path


@pytest.mark.parametrize(("header", "pages"), [
    ("images=5\nchannels=2\nslices=3\nhyperstack=true\n", 5), ("images=5\nslices=3\n", 5), ("images=3\nslices=3\n", 5),
    ("images=5\nslices=5\n", 3), ("images=6\nchannels=2\nslices=3\n", 5), ("channels=2\nslices=3\n", 5),
])
def test_an_imagej_header_that_does_not_fit_the_pages_is_refused(tmp_path, header, pages):
    with pytest.raises(StackError, match="contradicts itself"):
        open_stack(imagej(tmp_path / "a.tif", numbered(pages), header), channel=0)


@pytest.mark.parametrize("header", ["images=4\nslices=4\n", "images=4\n", "slices=4\n", ""])
def test_an_imagej_header_that_leaves_something_out_is_enough(tmp_path, header):
    assert len(open_stack(imagej(tmp_path / "a.tif", numbered(4), header))) == 4


# ---------------------------------------------------------------- LSM

def test_the_header_of_an_lsm_file_gives_the_voxel_size_in_metres(tmp_path):
    info = (struct.pack("<10i", 67127628, 500, 9, 8, 3, 1, 1, 1, 16, 16)
            + struct.pack("<6d", 1.2e-7, 1.2e-7, 1e-6, 0, 0, 0)).ljust(500, b"\0")
    with tifffile.TiffWriter(tmp_path / "a.lsm") as writer:
        for number, page in enumerate(numbered(3)):
            writer.write(page, contiguous=False, photometric="minisblack", metadata=None,
                         extratags=[(34412, 1, 500, info, True)] if number == 0 else [])
            writer.write(np.zeros((2, 3), np.uint8), contiguous=False, photometric="minisblack", metadata=None,
                         subfiletype=1)
    stack = open_stack(tmp_path / "a.lsm")
    assert stack[:, 0, 0].values.tolist() == [0, 1, 2]
    assert stack.attrs["voxel_size_um"] == (1.0, 0.12, 0.12)


# ---------------------------------------------------------------- pages that differ

def test_planes_that_are_only_compressed_in_another_way_are_one_stack(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for number, page in enumerate(numbered(4)):
            writer.write(page, contiguous=False, photometric="minisblack", metadata=None,
                         compression="zlib" if number in (1, 2) else None)
    assert planes_of(tmp_path / "a.tif") == [0, 1, 2, 3]


@pytest.mark.parametrize("shape", [(9, 8), (4, 18)])
def test_a_page_of_another_size_with_as_many_pixels_is_no_plane(tmp_path, shape):
    first = numbered(1)[0]
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in (first, first.reshape(shape)):
            writer.write(page, contiguous=False, photometric="minisblack", metadata=None,
                         description="ImageJ=1.53t\nimages=2\nslices=2\n")
    with pytest.raises(StackError, match="different kinds"):
        open_stack(tmp_path / "a.tif", **SIZE)


def ring_of_pages(length: int) -> bytes:
    """Directories of which the last one names the first as the next."""
    fields = [(256, 9), (257, 8), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 8), (279, 72)]
    step = 2 + 12 * len(fields) + 4
    directory = struct.pack("<H", len(fields))
    directory += b"".join(struct.pack("<HHII", code, 4, 1, value) for code, value in fields)
    return b"II*\0" + struct.pack("<I", 80) + bytes(72) + b"".join(
        directory + struct.pack("<I", 80 + step * ((number + 1) % length)) for number in range(length))


@pytest.mark.parametrize("length", [1, 2, 3])
def test_pages_that_follow_each_other_in_a_circle_are_refused(tmp_path, length):
    (tmp_path / "a.tif").write_bytes(ring_of_pages(length))
    with pytest.raises(StackError, match=f"circle after {length} pages"):
        open_stack(tmp_path / "a.tif", **SIZE)


# ---------------------------------------------------------------- voxel size

@pytest.mark.parametrize(("xy_um", "z_um", "words"), [
    (94, 0.5, r"pixel size is 94 µm.*--xy 0\.094"), (0.000094, 0.5, "accepted"),
    (0.1, 500, r"distance of planes is 500 µm"), (0.1, 0.0005, r"--z 0\.5"), (0.1, 0.5, None),
])
def test_a_voxel_size_that_shows_no_dendrite_is_doubted(tmp_path, xy_um, z_um, words):
    path = write_pages(tmp_path / "a.tif", numbered(2))
    if words == "accepted":
        with pytest.raises(StackError, match=words):
            open_stack(path, xy_um=xy_um, z_um=z_um)
        return
    notes = open_stack(path, xy_um=xy_um, z_um=z_um).attrs.get("notes", ())
    assert (not notes) if words is None else re.search(words, notes[0])


def test_a_note_is_given_to_the_log(tmp_path, caplog):
    open_stack(write_pages(tmp_path / "a.tif", numbered(2)), xy_um=94, z_um=0.5)
    assert [record.name for record in caplog.records] == ["deepd3_ij.notes"]
