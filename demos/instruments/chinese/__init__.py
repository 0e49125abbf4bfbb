"""Chinese letters: a browser shows those of pictures and pages on a machine without such a font.

No lesson teaches it. An SVG picture carries the letters that it shows, and no others; so does an
HTML page that travels alone. They are of WenQuanYi Micro Hei, whose licence is LICENSE.txt.

python -m demos.instruments.chinese FILE ...      put the letters into these files
python -m demos.instruments.chinese.make FONT     make letters.ttf again, from the whole font
"""

import base64
import io
import re
from pathlib import Path

FAMILY = "Course Han"
FILE = Path(__file__).parent / "letters.ttf"
FIRST, LAST = "\u2e80", "\uffff"  # Chinese letters and punctuation; other fonts have the rest
STYLE = """<style>/* letters of WenQuanYi Micro Hei, Apache License 2.0 */
@font-face {{ font-family: "{family}"; unicode-range: U+2E80-FFFF;
src: url(data:font/ttf;base64,{data}); }}</style>"""
OWN = re.compile(r"<style>/\* letters of .*?</style>", re.DOTALL)


def letters(text: str) -> str:
    """Return the Chinese letters and punctuation of a text, each once, in Unicode's order."""
    return "".join(sorted({one for one in text if FIRST <= one <= LAST}))


def lettered(picture: str) -> str:
    """Return an SVG or a page with its Chinese letters in it, and without those it had before.

    It has a `<style>`, and its texts name `FAMILY`. They name it before their other fonts, as
    Chromium does not always look behind them. What letters.ttf lacks, such as an emoji, is left to
    the machine.
    """
    bare = OWN.sub("", picture)
    needed = letters(bare)
    data = _subset(needed) if needed else b""
    if not data:
        return bare
    style = STYLE.format(family=FAMILY, data=base64.b64encode(data).decode())
    return bare.replace("</style>", f"</style>{style}", 1)


def _subset(needed: str) -> bytes:
    """Return a font with these letters, always the same bytes; none if it has none of them."""
    # The import takes a third of a second, and most pictures have no Chinese letters.
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    with TTFont(FILE, lazy=True, recalcTimestamp=False) as font:
        if not font.getBestCmap().keys() & set(map(ord, needed)):
            return b""
        picked = Subsetter(Options(name_IDs=[], notdef_outline=True))
        picked.populate(text=needed)
        picked.subset(font)
        written = io.BytesIO()
        font.save(written)
    return written.getvalue()
