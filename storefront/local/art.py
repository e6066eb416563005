"""Pictures of the demo sales' products, drawn when they are needed: two phones and a coffee set on soft grounds.

Everything is drawn twice as large and scaled down, which makes the edges smooth.
"""

import io
from collections.abc import Callable

from PIL import Image, ImageChops, ImageDraw, ImageFilter

SIZE = 800  # pixels, square
FINE = 2  # times as large while it is drawn
ROOM = 0.86  # the share of the picture that things are drawn in: the shop's cards show its middle

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]


class Canvas:
    """A square picture. Shapes are placed in hundredths of a square in its middle."""

    def __init__(self, top: Colour, bottom: Colour) -> None:
        self.image = _gradient((SIZE * FINE, SIZE * FINE), top, bottom)
        self.unit = SIZE * FINE / 100 * ROOM

    def _placed(self, *numbers: float) -> tuple[float, ...]:
        return tuple(number * self.unit + (1 - ROOM) / 2 * SIZE * FINE for number in numbers)

    def paint(self, top: Colour, bottom: Colour, *shapes: Callable[[ImageDraw.ImageDraw], None]) -> None:
        """Fill what ``shapes`` cover with a gradient from ``top`` to ``bottom``, over a soft shadow."""
        mask = Image.new("L", self.image.size)
        pen = ImageDraw.Draw(mask)
        for shape in shapes:
            shape(pen)
        small = mask.resize((SIZE // 4, SIZE // 4))  # a blur of it costs little, and loses nothing
        shadow = ImageChops.offset(small, 0, round(0.004 * SIZE)).filter(ImageFilter.GaussianBlur(0.0045 * SIZE))
        shadow = shadow.resize(mask.size).point(lambda value: value * 0.28)
        self.image.paste((30, 22, 18), mask=shadow)
        box = mask.getbbox()
        if box:
            fill = _gradient((box[2] - box[0], box[3] - box[1]), top, bottom)
            self.image.paste(fill, box[:2], mask.crop(box))

    def flat(self, colour: Colour, *shapes: Callable[[ImageDraw.ImageDraw], None], strength: float = 1) -> None:
        """Fill what ``shapes`` cover with one colour, without a shadow. ``strength`` 1 hides what is below."""
        mask = Image.new("L", self.image.size)
        for shape in shapes:
            shape(ImageDraw.Draw(mask))
        self.image.paste(colour, mask=mask.point(lambda value: value * strength))

    def slab(self, box: Box, radius: float) -> Callable[[ImageDraw.ImageDraw], None]:
        """A rectangle with round corners."""
        return lambda pen: pen.rounded_rectangle(self._placed(*box), radius * self.unit, fill=255)

    def disc(self, x: float, y: float, radius: float) -> Callable[[ImageDraw.ImageDraw], None]:
        """A circle."""
        return lambda pen: pen.ellipse(self._placed(x - radius, y - radius, x + radius, y + radius), fill=255)

    def form(self, *points: tuple[float, float]) -> Callable[[ImageDraw.ImageDraw], None]:
        """A shape with corners."""
        return lambda pen: pen.polygon([self._placed(*point) for point in points], fill=255)

    def bow(self, box: Box, start: float, end: float, width: float) -> Callable[[ImageDraw.ImageDraw], None]:
        """A part of an ellipse's line, from one angle to another (degrees, clockwise from three o'clock)."""
        return lambda pen: pen.arc(self._placed(*box), start, end, fill=255, width=round(width * self.unit))

    def webp(self) -> bytes:
        """The picture as a file."""
        out = io.BytesIO()
        self.image.resize((SIZE, SIZE), Image.Resampling.LANCZOS).save(out, "WEBP", quality=90)
        return out.getvalue()


def _gradient(size: tuple[int, int], top: Colour, bottom: Colour) -> Image.Image:
    ramp = Image.linear_gradient("L").resize((1, 256))
    line = Image.composite(Image.new("RGB", ramp.size, bottom), Image.new("RGB", ramp.size, top), ramp)
    return line.resize(size, Image.Resampling.BILINEAR)


def phone() -> bytes:
    """A phone from behind, with two lenses, before another one's screen."""
    art = Canvas((253, 236, 226), (244, 199, 184))
    art.flat((255, 255, 255), art.disc(52, 50, 37), strength=0.35)
    art.paint((38, 40, 48), (24, 25, 31), art.slab((46, 15, 80, 83), 5))
    art.paint((255, 172, 120), (190, 62, 96), art.slab((47.5, 16.5, 78.5, 81.5), 3.8))
    art.flat((255, 221, 170), art.disc(66, 42, 8), strength=0.85)
    art.flat((92, 34, 78), art.form((47.5, 66), (60, 52), (68, 61), (78.5, 50), (78.5, 74), (47.5, 74)), strength=0.8)
    art.flat(
        (62, 22, 60), art.slab((47.5, 72, 78.5, 81.5), 3.8), art.form((47.5, 70), (78.5, 66), (78.5, 76), (47.5, 76))
    )
    art.paint((247, 244, 240), (214, 208, 204), art.slab((22, 19, 56, 87), 5))
    art.paint((238, 234, 230), (222, 217, 213), art.slab((25, 22, 42, 39), 4))
    for x, y in ((30, 27), (37, 34)):
        art.paint((70, 72, 82), (30, 31, 38), art.disc(x, y, 3.6))
        art.flat((92, 116, 160), art.disc(x, y, 1.6))
        art.flat((235, 240, 250), art.disc(x - 0.8, y - 0.8, 0.6))
    art.flat((250, 236, 190), art.disc(37, 26.500, 1.2))
    return art.webp()


def foldable() -> bytes:
    """A phone that unfolds, standing half open, a spruce on its screen."""
    art = Canvas((226, 238, 232), (170, 200, 190))
    art.flat((255, 255, 255), art.disc(50, 47, 36), strength=0.35)
    art.paint((44, 52, 52), (22, 28, 28), art.form((50, 17), (83, 24), (83, 80), (50, 86)))
    art.paint((44, 52, 52), (22, 28, 28), art.form((50, 17), (17, 24), (17, 80), (50, 86)))
    art.flat((201, 226, 216), art.form((49.6, 19.2), (19, 25.8), (19, 78.4), (49.6, 83.8)))
    art.flat((184, 213, 203), art.form((50.4, 19.2), (81, 25.8), (81, 78.4), (50.4, 83.8)))
    art.flat((255, 246, 214), art.disc(68, 38, 5.5))
    for top, wide, low in ((27, 9, 43), (36, 14, 56), (47, 19, 70)):
        art.flat((46, 108, 86), art.form((50, top), (50 - wide, low), (50, low)))
        art.flat((34, 86, 70), art.form((50, top), (50, low), (50 + wide, low)))
    art.flat((96, 72, 54), art.form((48.4, 70), (51.6, 70), (51.6, 77), (48.4, 77)))
    art.flat((20, 26, 26), art.form((49.8, 17.5), (50.2, 17.5), (50.2, 85.5), (49.8, 85.5)), strength=0.5)
    return art.webp()


def coffee() -> bytes:
    """A gooseneck kettle beside a dripper on its glass."""
    art = Canvas((246, 235, 222), (217, 192, 165))
    art.flat((255, 255, 255), art.disc(48, 46, 36), strength=0.3)
    art.flat((168, 130, 98), art.slab((-20, 80, 120, 120), 0))
    art.flat((184, 146, 112), art.slab((-20, 80, 120, 82), 0))
    art.paint((92, 98, 104), (54, 58, 63), art.bow((66, 36, 94, 72), 265, 95, 2.6))
    art.paint((98, 104, 110), (54, 58, 63), art.bow((37, 27, 48, 41), 268, 360, 2.2), art.slab((45.8, 33.8, 48, 68), 0))
    art.paint((66, 71, 76), (54, 58, 63), art.bow((45.8, 60, 70, 76), 90, 181, 2.2))
    art.paint((108, 114, 120), (48, 52, 57), art.form((56, 42), (78, 42), (84, 80), (50, 80)))
    art.paint((120, 126, 132), (84, 89, 95), art.slab((55, 38, 79, 43), 2))
    art.paint((70, 52, 40), (46, 34, 26), art.disc(67, 35.5, 2.6))
    art.paint((247, 250, 250), (222, 230, 230), art.form((14, 62), (36, 62), (39, 80), (11, 80)))
    art.flat((92, 54, 34), art.form((12.2, 73), (37.8, 73), (39, 80), (11, 80)))
    art.paint((250, 244, 234), (236, 224, 208), art.form((11, 43), (39, 43), (38, 38), (12, 38)))
    art.paint(
        (216, 92, 72), (170, 58, 48), art.form((9, 42), (41, 42), (30, 58), (20, 58)), art.slab((13, 58, 37, 61.5), 1.5)
    )
    for x in (17, 23, 29):
        steam = art.bow((x - 3, 20, x + 3, 28), 90, 270, 0.9), art.bow((x - 3, 27, x + 3, 35), 270, 90, 0.9)
        art.flat((255, 255, 255), *steam, strength=0.6)
    return art.webp()
