"""Drawing a picture anew: out of bytes that nobody should trust come files that a browser may be given.

Only what can be seen passes. Metadata, places, further frames and whatever else was hidden in the file stay behind.
"""

import hashlib
import io
import threading
from collections.abc import Callable

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from storefront.domain.errors import NotAPicture, Overloaded, PictureTooHeavy, TooManyPixels
from storefront.domain.picture import WIDTHS, Picture

TYPES = ("JPEG", "PNG", "WEBP", "AVIF")
"""What is read, by content. Vector graphics are never among them: they are programs."""

MOST_BYTES = 8 * 1024 * 1024
MOST_PIXELS = 50_000_000
TOO_HEAVY = {"most": MOST_BYTES // 1024**2}
TOO_MANY = {"most": MOST_PIXELS // 1_000_000}
"""The facts of the two refusals that name a bound."""

QUALITY = 82
WHITE = (255, 255, 255)

_one_at_a_time = threading.Lock()
"""A picture takes up to 200 MB of memory while it is drawn, so a process draws one."""

MOST_IN_LINE = 4
_in_line = threading.BoundedSemaphore(MOST_IN_LINE)
"""The one that is drawn, and who waits for it. The other threads are there for those who buy."""


def redrawn(data: bytes) -> tuple[Picture, dict[str, bytes]]:
    """The picture in ``data``, and its files by name. The same data always gives the same.

    Raises NotAPicture, PictureTooHeavy or TooManyPixels; Overloaded where others are in line already.
    """
    if len(data) > MOST_BYTES:
        raise PictureTooHeavy(**TOO_HEAVY)
    if not _in_line.acquire(blocking=False):
        raise Overloaded
    try:
        with _one_at_a_time, Image.open(io.BytesIO(data), formats=TYPES) as opened:
            if opened.width * opened.height > MOST_PIXELS:  # known from its header; nothing is decoded yet
                raise TooManyPixels(**TOO_MANY)
            return _files(_flat(opened))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as fault:
        raise TooManyPixels(**TOO_MANY) from fault
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, MemoryError) as fault:
        raise NotAPicture from fault
    finally:
        _in_line.release()


def _flat(opened: Image.Image) -> Image.Image:
    """The picture upright, in sRGB, on white, and not larger than it is ever shown."""
    largest = (WIDTHS[-1], WIDTHS[-1])
    opened.draft("RGB", largest)  # a JPEG is then decoded near the size that is wanted
    profile = opened.info.get("icc_profile")
    image = ImageOps.exif_transpose(opened)
    if image.mode.startswith("I;16"):  # sixteen bits of grey, of which the upper eight are seen
        image = image.point(lambda value: value / 256).convert("L")
    if image.mode in ("P", "PA", "LA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode not in ("RGB", "RGBA"):
        image = image.convert("RGB")
    image.thumbnail(largest, Image.Resampling.LANCZOS)
    if image.mode == "RGBA":
        ground = Image.new("RGB", image.size, WHITE)
        ground.paste(image, mask=image.getchannel("A"))
        image = ground
    return _in_srgb(image, profile)


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The colours as they were meant, since the profile that says so stays behind. A useless profile is ignored."""
    if not profile:
        return image
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return converted or image


def _files(image: Image.Image) -> tuple[Picture, dict[str, bytes]]:
    largest = _webp(image)
    picture = Picture(hashlib.sha256(largest).hexdigest()[:32], image.width, image.height)
    scaled: Callable[[int], Image.Image] = lambda width: image.resize(  # noqa: E731
        (width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS
    )
    return picture, {
        picture.file(width): largest if width == image.width else _webp(scaled(width)) for width in picture.widths
    }


def _webp(image: Image.Image) -> bytes:
    out = io.BytesIO()
    clean = Image.new("RGB", image.size)
    clean.paste(image)  # carries the pixels over and nothing else
    clean.save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()
