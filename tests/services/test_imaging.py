"""Pictures that are drawn anew: everyday ones come out right, and hostile ones bring nothing in."""

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image, ImageCms

from storefront.domain.errors import NoPicture, NotAPicture, PictureTooHeavy, TooManyPixels
from storefront.domain.picture import given_in, named
from storefront.services import imaging

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"
RED, WHITE = (200, 30, 30), (255, 255, 255)


def encoded(kind: str, size: tuple[int, int] = (400, 300), mode: str = "RGB", **how: object) -> bytes:
    """A picture that is red in its left half."""
    image = Image.new("RGB", size, WHITE)
    image.paste(RED, (0, 0, size[0] // 2, size[1]))
    out = io.BytesIO()
    image.convert(mode).save(out, kind, **how)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int) -> bytes:
    """A PNG of a few hundred bytes that says it is ``side`` pixels wide and high."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 10_000)) + chunk(b"IEND", b"")


def animated_gif() -> bytes:
    out = io.BytesIO()
    frames = [Image.new("P", (9, 9), colour) for colour in range(3)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    return out.getvalue()


HOSTILE: dict[str, tuple[Callable[[], bytes], type[NoPicture]]] = {
    "nothing": (lambda: b"", NotAPicture),
    "SVG": (lambda: SVG, NotAPicture),
    "SVG behind a PNG's first bytes": (lambda: b"\x89PNG\r\n\x1a\n" + SVG, NotAPicture),
    "HTML": (lambda: HTML, NotAPicture),
    "HTML behind a GIF's first bytes": (lambda: b"GIF89a" + HTML, NotAPicture),
    "an animated GIF": (animated_gif, NotAPicture),
    "a BMP": (lambda: encoded("BMP"), NotAPicture),
    "a TIFF": (lambda: encoded("TIFF"), NotAPicture),
    "PostScript": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", NotAPicture),
    "half a JPEG": (lambda: encoded("JPEG")[:900], NotAPicture),
    "half a PNG": (lambda: encoded("PNG", (900, 900), compress_level=0)[:9000], NotAPicture),
    "half a WebP": (lambda: encoded("WEBP")[:300], NotAPicture),
    "half an AVIF": (lambda: encoded("AVIF")[:200], NotAPicture),
    "a bomb": (lambda: bomb(7_072), TooManyPixels),
    "a bomb that the library warns of": (lambda: bomb(12_000), TooManyPixels),
    "a bomb that the library refuses": (lambda: bomb(60_000), TooManyPixels),
    "too many bytes": (lambda: encoded("PNG") + b"\0" * imaging.MOST_BYTES, PictureTooHeavy),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_picture_of_a_known_type_is_refused(kind: str) -> None:
    make, refusal = HOSTILE[kind]
    with pytest.raises(refusal):
        imaging.redrawn(make())


def drawn(data: bytes) -> Image.Image:
    """The largest file that comes of ``data``."""
    picture, files = imaging.redrawn(data)
    image = Image.open(io.BytesIO(files[picture.file(picture.width)]))
    assert (image.format, image.mode, image.size) == ("WEBP", "RGB", (picture.width, picture.height))
    return image


def is_near(found: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(found, tuple)
    return all(abs(one - other) < 24 for one, other in zip(found, colour, strict=True))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "MPO"])
def test_every_known_type_is_read(kind: str) -> None:
    image = drawn(encoded(kind))
    assert is_near(image.getpixel((50, 150)), RED)
    assert is_near(image.getpixel((350, 150)), WHITE)


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "P"), ("PNG", "1")])
def test_every_way_to_hold_pixels_is_read(kind: str, mode: str) -> None:
    assert is_near(drawn(encoded(kind, mode=mode)).getpixel((350, 150)), WHITE)


def test_sixteen_bits_of_grey_are_read() -> None:
    out = io.BytesIO()
    Image.new("I;16", (20, 20), 0x8000).save(out, "PNG")
    assert is_near(drawn(out.getvalue()).getpixel((9, 9)), (128, 128, 128))


def test_what_is_transparent_is_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(out, "PNG")
    assert drawn(out.getvalue()).getpixel((9, 9)) == WHITE


def test_a_photograph_is_upright_and_says_nothing_of_where_it_was_taken() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned clockwise
    exif[0x010F] = "A maker of cameras"
    exif.get_ifd(0x8825)[2] = (39.0, 54.0, 26.0)  # GPS latitude
    data = encoded("JPEG", exif=exif, comment=b"<script>", icc_profile=ImageCms.ImageCmsProfile(
        ImageCms.createProfile("sRGB")).tobytes())  # fmt: skip
    assert b"A maker" in data
    image = drawn(data)
    assert image.size == (300, 400)
    assert is_near(image.getpixel((150, 50)), RED)  # the left half is the upper one now
    assert not image.getexif()
    assert not image.info.keys() & {"exif", "xmp", "icc_profile", "comment"}


def test_what_is_hidden_in_a_picture_stays_behind() -> None:
    head, rest = encoded("PNG")[:33], encoded("PNG")[33:]
    hidden = head + chunk(b"tEXt", b"Comment\0" + SVG) + rest + HTML + b"PK\x03\x04"
    _, files = imaging.redrawn(hidden)
    clean, _ = imaging.redrawn(encoded("PNG"))
    assert list(files) == [clean.file(width) for width in clean.widths]  # to the last byte
    assert not any(secret in content for content in files.values() for secret in (b"script", b"PK\x03\x04"))


@pytest.mark.parametrize(
    ("size", "largest", "widths"),
    [
        ((3000, 1500), (1280, 640), [320, 640, 1280]),
        ((500, 500), (500, 500), [320, 500]),
        ((1000, 4000), (320, 1280), [320]),
        ((1, 4000), (1, 1280), [1]),
        ((4000, 1), (1280, 1), [320, 640, 1280]),
    ],
)
def test_a_picture_has_the_widths_that_its_size_allows(
    size: tuple[int, int], largest: tuple[int, int], widths: list[int]
) -> None:
    picture, files = imaging.redrawn(encoded("PNG", size))
    assert ((picture.width, picture.height), picture.widths) == (largest, widths)
    assert list(files) == [picture.file(width) for width in widths]
    assert named(picture.name) == given_in(picture.image) == picture
