"""Small files of formats that no library writes, by their published structure."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

# ---------------------------------------------------------------------------------------------- Leica LIF


def write_lif(
    path: Path, images: Mapping[str, np.ndarray], codes: Mapping[int, int] | None = None, colour: str = "Gray"
) -> None:
    """Write (T, Y, X) or (T, C, Y, X) uint16 images, with pixels of 0.2 um and frames every 1.5 s.

    `codes` gives axes other numbers of Leica's, such as {2: 3} for rows along Z; `colour` is that of all channels.
    """
    elements, blocks = "", b""
    for number, (name, pixels) in enumerate(images.items()):
        elements += _lif_element(name, pixels, f"MemBlock_{number}", codes or {}, colour)
        text = f"MemBlock_{number}".encode("utf-16-le")
        blocks += struct.pack("<IIBQBI", 0x70, 14 + len(text), 0x2A, pixels.nbytes, 0x2A, len(text) // 2) + text
        blocks += np.ascontiguousarray(pixels).tobytes()
    xml = (
        f'<LMSDataContainerHeader Version="2"><Element Name="project"><Children>{elements}</Children></Element>'
        "</LMSDataContainerHeader>"
    ).encode("utf-16-le")
    path.write_bytes(struct.pack("<IIBI", 0x70, len(xml) + 5, 0x2A, len(xml) // 2) + xml + blocks)


def _lif_element(name: str, pixels: np.ndarray, block: str, codes: Mapping[int, int], colour: str) -> str:
    channels = pixels.shape[1] if pixels.ndim == 4 else 1
    frames, (height, width) = pixels.shape[0], pixels.shape[-2:]
    described = "".join(
        '<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" NameOfMeasuredQuantity="" Min="0" Max="4095" '
        f'Unit="" LUTName="{colour}" IsLUTInverted="0" BytesInc="{c * height * width * 2}" BitInc="0"/>'
        for c in range(channels)
    )
    dimensions = "".join(
        f'<DimensionDescription DimID="{codes.get(code, code)}" NumberOfElements="{n}" Origin="0" Length="{length}" '
        f'Unit="{unit}" BytesInc="{step}" BitInc="0"/>'
        for code, n, length, unit, step in (
            (1, width, (width - 1) * 2e-7, "m", 2),
            (2, height, (height - 1) * 2e-7, "m", 2 * width),
            (4, frames, (frames - 1) * 1.5, "s", 2 * width * height * channels),
        )
    )
    return (
        f'<Element Name="{name}"><Data><Image><ImageDescription><Channels>{described}</Channels><Dimensions>'
        f"{dimensions}</Dimensions></ImageDescription></Image></Data>"
        f'<Memory Size="{pixels.nbytes}" MemoryBlockID="{block}"/></Element>'
    )


# ---------------------------------------------------------------------------------------------- Nikon ND2

_MAGIC = 0x0ABECEDA
_LINE = {"uiCount": 1, "pPoint": {"Point0": {"eType": 4, "dWavelength": 488.0, "dTValue": 1.0}}}


def write_nd2(path: Path, pixels: np.ndarray) -> None:
    """Write a (T, C, Y, X) uint16 film of three channels: pixels of 0.16 um, a frame every 250 ms."""
    frames, channels, height, width = pixels.shape
    attributes = {
        "uiWidth": width, "uiWidthBytes": width * channels * 2, "uiHeight": height, "uiComp": channels,
        "uiBpcInMemory": 16, "uiBpcSignificant": 12, "uiSequenceCount": frames, "uiTileWidth": width,
        "uiTileHeight": height, "eCompression": 2, "dCompressionParam": 0.0, "ePixelType": 1, "uiVirtualComponents":
        channels,
    }  # fmt: skip
    loop = {"eType": 1, "wsApplicationDesc": "", "uLoopPars": {"uiCount": frames, "dStart": 0.0, "dPeriod": 250.0,
            "dDuration": 0.0, "dMinPeriodDiff": 0.0, "dMaxPeriodDiff": 0.0, "dAvgPeriodDiff": 250.0},
            "uiRepeatCount": 0, "uiNextLevelCount": 0}  # fmt: skip
    names, colours = ("DAPI", "GFP", "Cy5"), (0xFF0000, 0x00FF00, 0x0000FF)
    planes = {
        f"a{c}": {
            "sDescription": names[c], "uiColor": colours[c], "uiCompCount": 1, "uiSampleIndex": 0,
            "uiModalityMask": 1, "pFilterPath": {"m_sName": "", "m_pFilter": {}}, "dObjCalibration1to1": -1.0,
            "pFluorescentProbe": {"m_sName": "dye", "m_ExcitationSpectrum": _LINE, "m_EmissionSpectrum": _LINE},
            "sizeObjFullChip": {"cx": width, "cy": height},
        }
        for c in range(channels)
    }  # fmt: skip
    picture = {
        "sPicturePlanes": {"uiCount": channels, "uiCompCount": channels, "sPlaneNew": planes, "sSampleSetting": {}},
        "dCalibration": 0.16, "bCalibrated": True, "dAspect": 1.0, "dZStep": 0.0, "dTimeMSec": 0.0,
        "wsObjectiveName": "60x", "dObjectiveMag": 60.0, "dObjectiveNA": 1.4, "dRefractIndex1": 1.5,
        "dPinholeRadius": -1.0, "dZoom": -1.0, "dProjectiveMag": -1.0, "uiConfigurationIndex": 0,
    }  # fmt: skip
    chunks = {
        b"ImageAttributesLV!": _lite({"SLxImageAttributes": attributes}),
        b"ImageMetadataLV!": _lite({"SLxExperiment": loop}),
        b"ImageMetadataSeqLV|0!": _lite({"SLxPictureMetadata": picture}),
    }
    for t in range(frames):
        samples = np.ascontiguousarray(np.moveaxis(pixels[t], 0, -1)).tobytes()
        chunks[f"ImageDataSeq|{t}!".encode()] = struct.pack("<d", 250.0 * t) + samples
    _write_chunks(path, chunks)


def _write_chunks(path: Path, chunks: Mapping[bytes, bytes]) -> None:
    content = struct.pack("<IIQ", _MAGIC, 32, 64) + b"ND2 FILE SIGNATURE CHUNK NAME01!" + b"Ver3.0".ljust(64, b"\0")
    directory = b""
    for name, data in chunks.items():
        directory += name + struct.pack("<QQ", len(content), len(data))
        # The names of chunks are padded, so that pixels begin at a multiple of 4096 bytes behind the chunk.
        content += struct.pack("<IIQ", _MAGIC, 4072, len(data)) + name.ljust(4072, b"\0") + data
    end = b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", len(content))
    directory += end
    name = b"ND2 FILEMAP SIGNATURE NAME 0001!"
    content += struct.pack("<IIQ", _MAGIC, len(name), len(directory)) + name + directory
    path.write_bytes(content)


def _lite(values: Mapping[str, object]) -> bytes:
    """Encode nested values as "Lite variant" records."""
    return b"".join(_record(name, value) for name, value in values.items())


def _record(name: str, value: object) -> bytes:
    words = (name + "\0").encode("utf-16-le")

    def head(kind: int) -> bytes:
        return struct.pack("<BB", kind, len(words) // 2) + words

    if isinstance(value, Mapping):
        body, offsets = b"", []
        start = len(head(11)) + 12
        for key, entry in value.items():
            offsets.append(start + len(body))
            body += _record(key, entry)
        return head(11) + struct.pack("<IQ", len(value), start + len(body)) + body + struct.pack(
            f"<{len(offsets)}Q", *offsets
        )  # fmt: skip
    if isinstance(value, bool):
        return head(1) + struct.pack("<B", value)
    if isinstance(value, int):
        return head(3) + struct.pack("<I", value)
    if isinstance(value, float):
        return head(6) + struct.pack("<d", value)
    return head(8) + (str(value) + "\0").encode("utf-16-le")


# ---------------------------------------------------------------------------------------------- Formats with a library


def write_czi(path: Path, pixels: np.ndarray) -> None:
    """Write a (T, C, Y, X) image of uint16 as two scenes."""
    from pylibCZIrw import czi

    with czi.create_czi(str(path)) as file:
        for t, c, scene in np.ndindex(*pixels.shape[:2], 2):
            place = {"T": t, "C": c, "Z": 0}
            file.write(
                data=np.ascontiguousarray(pixels[t, c, ..., None]), plane=place, scene=scene, location=(500 * scene, 70)
            )
        file.write_metadata("cells", scale_x=1e-7, scale_y=2e-7)


def write_mrc(path: Path, pixels: np.ndarray) -> None:
    """Write a (Z, Y, X) volume of int16."""
    import mrcfile

    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(pixels.astype(np.int16))
        file.set_volume()
        file.voxel_size = 2.5


def write_fits(path: Path, pixels: np.ndarray) -> None:
    """Write a (Y, X) image of float32 with its place on the sky, and the same as unsigned integers."""
    from astropy.io import fits

    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -1e-4, "CDELT2": 1e-4})
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(pixels.astype(np.float32), header, name="SCI"), fits.ImageHDU(pixels)]
    fits.HDUList(hdus).writeto(path)


def write_dicom(path: Path, pixels: np.ndarray, meaning: str = "MONOCHROME2") -> None:
    """Write a (Y, X) image of 12 bits in Hounsfield units, or a (Y, X, S) one of colours of 8 bits."""
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    data = pydicom.Dataset()
    data.file_meta, data.SOPClassUID, data.SOPInstanceUID = meta, CTImageStorage, "1.2.3"
    data.Rows, data.Columns = pixels.shape[:2]
    data.PhotometricInterpretation, data.PixelSpacing, data.PixelRepresentation = meaning, [0.7, 0.5], 0
    if pixels.ndim == 3:
        data.SamplesPerPixel, data.PlanarConfiguration = 3, 0
        data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    else:
        data.SamplesPerPixel = 1
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
        data.RescaleSlope, data.RescaleIntercept, data.RescaleType = 1, -1024, "HU"
    data.PixelData = np.ascontiguousarray(pixels, np.uint8 if pixels.ndim == 3 else np.uint16).tobytes()
    data.save_as(path, enforce_file_format=True)
