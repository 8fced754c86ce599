"""Images, by Pillow: size, bands, frames, EXIF, and the sizes that OME-TIFF says. No pixel is decoded."""

import re
from typing import Any

from PIL import ExifTags, Image, UnidentifiedImageError

from workspacesio.index.extraction.kinds.gathering import Text, present
from workspacesio.index.extraction.protocol import Extracted, GivenFile, Unreadable

Image.init()  # every format's module now, for all children
Image.MAX_IMAGE_PIXELS = None  # the number of pixels is what is asked for here, and none is decoded
_IMAGE_DESCRIPTION = 270
_OME_SIZE = re.compile(r'\b(Size[XYZCT]|PhysicalSize[XYZ])="([0-9.eE+-]{1,30})"')
_OME_CHARACTERS = 64 << 10
_MOST_FRAMES_BYTES = 256 << 20
"""Frames of larger files are not counted: each takes a read of its own."""
_TAKEN = ExifTags.Base.DateTimeOriginal


def extract(file: GivenFile) -> Extracted:
    with file.open() as stream:
        try:
            image = Image.open(stream)
        except UnidentifiedImageError as error:
            raise Unreadable("It is damaged, or of a kind of image that is not read.") from error
        with image:
            facts = present(
                width=image.width,
                height=image.height,
                bands=len(image.getbands()),
                mode=image.mode,
                format=image.format,
            )
            text = Text(file.text_characters)
            facts.update(_exif(image))
            described = _description(image)
            text.add(re.sub(r"[<>=\"/?]+", " ", described))
            if "<OME" in described:
                facts.update(dict(reversed(_OME_SIZE.findall(described))))
            if getattr(image, "is_animated", False) and file.size <= _MOST_FRAMES_BYTES:
                facts["frames"] = str(getattr(image, "n_frames", 1))
            for name in ("camera", "lens", "artist", "copyright"):
                text.add(facts.get(name, ""))
            return Extracted(facts, str(text))


def _description(image: Image.Image) -> str:
    """TIFF's ImageDescription, or the comments of PNG and JPEG."""
    tags: Any = getattr(image, "tag_v2", None)
    found = tags.get(_IMAGE_DESCRIPTION, "") if tags is not None else ""
    if not found:
        comments = (image.info.get(name) for name in ("Description", "Title", "Comment", "comment"))
        found = " ".join(
            one.decode(errors="replace") if isinstance(one, bytes) else str(one) for one in comments if one
        )
    return str(found)[:_OME_CHARACTERS]


def _exif(image: Image.Image) -> dict[str, str]:
    """JEITA CP-3451 (Exif). Damaged EXIF is no damaged image."""
    if image.format == "PNG" and not {"exif", "Raw profile type exif"} & image.info.keys():
        return {}  # Pillow would decode all pixels to see whether it comes behind them
    try:
        exif = image.getexif()
        taken = exif.get_ifd(ExifTags.IFD.Exif)
        place = exif.get_ifd(ExifTags.IFD.GPSInfo)
        make, model = (str(exif.get(tag, "")).strip(" \0") for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
        return present(
            camera=model if model.startswith(make) else f"{make} {model}",
            lens=taken.get(ExifTags.Base.LensModel),
            taken=taken.get(_TAKEN),
            artist=exif.get(ExifTags.Base.Artist),
            copyright=exif.get(ExifTags.Base.Copyright),
            latitude=_degrees(place.get(2), place.get(1)),
            longitude=_degrees(place.get(4), place.get(3)),
        )
    except (MemoryError, RecursionError):
        raise
    except Exception:  # Pillow raises whatever its parsing met
        return {}


def _degrees(parts: Any, side: Any) -> str | None:
    if not parts or len(parts) != 3:
        return None
    degrees = float(parts[0]) + float(parts[1]) / 60 + float(parts[2]) / 3600
    return f"{-degrees if side in ('S', 'W') else degrees:.6f}"
