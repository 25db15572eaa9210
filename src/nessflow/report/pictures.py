"""Figures as they are embedded in the page."""

import base64
import io

from PIL import Image

WIDTH = 640
"""Pixels: two for each of a column of the page, so that it is sharp on fine screens."""


def embedded(image: bytes) -> tuple[str, int, int]:
    """Return a picture as data URI, smaller than the file, and its width and height in pixels.

    Raises
    ------
    OSError
        When it is no picture.
    """
    with Image.open(io.BytesIO(image)) as file:
        picture = file.convert("RGB")
    height = round(picture.height * WIDTH / picture.width)
    target = io.BytesIO()
    picture.resize((WIDTH, height), Image.Resampling.LANCZOS).save(
        target, "WEBP", quality=75, method=6
    )
    content = base64.b64encode(target.getvalue()).decode("ascii")
    return f"data:image/webp;base64,{content}", WIDTH, height
