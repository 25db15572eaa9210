"""Figures as they are embedded in the page."""

import base64
import io

from PIL import Image

WIDTH = 1400
"""Most pixels: a figure of two columns is sharp over the whole width of a page."""
_SHOWN = 0.55
"""Pixels of a page for one of the file, which has 300 an inch: text of 8 points is read easily."""


def embedded(image: bytes) -> tuple[str, int, int, int]:
    """Return a picture as data URI, its width and height in pixels, and the width to read it at.

    Raises
    ------
    OSError
        When it is no picture.
    """
    with Image.open(io.BytesIO(image)) as file:
        picture = file.convert("RGB")
    shown = round(picture.width * _SHOWN)
    if picture.width > WIDTH:
        height = round(picture.height * WIDTH / picture.width)
        picture = picture.resize((WIDTH, height), Image.Resampling.LANCZOS)
    target = io.BytesIO()
    picture.save(target, "WEBP", quality=75, method=4)
    content = base64.b64encode(target.getvalue()).decode("ascii")
    return f"data:image/webp;base64,{content}", picture.width, picture.height, shown
