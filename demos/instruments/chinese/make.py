"""Make letters.ttf again: python -m demos.instruments.chinese.make FONT

FONT is wqy-microhei.ttc, of Debian's package fonts-wqy-microhei. What stays: the outlines of the
letters of GBK, which has the characters of nearly all names, simplified and traditional.
"""

import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

from demos.instruments import chinese

NOTICES = [0, 5, 13, 14]  # kept: copyright, version, licence, and where the licence is
OURS = {1: chinese.FAMILY, 2: "Regular", 4: chinese.FAMILY, 6: chinese.FAMILY.replace(" ", "")}
ENGLISH = 0x409


def gbk() -> str:
    """Return the Chinese letters and the punctuation of the character set GBK."""
    every = map(chr, range(ord(chinese.FIRST), ord(chinese.LAST) + 1))
    return "".join(one for one in every if one.encode("gbk", "ignore"))


def make(source: Path, target: Path) -> None:
    """Write the font with these letters only, without hints and alternative shapes."""
    with TTFont(source, fontNumber=0, recalcTimestamp=False) as font:
        kept = Options(
            name_IDs=NOTICES,
            name_languages=[ENGLISH],
            notdef_outline=True,
            hinting=False,
            glyph_names=False,
            layout_features=[],
        )
        kept.drop_tables += ["FFTM", "GDEF", "GPOS", "GSUB", "gasp", "vhea", "vmtx"]
        picked = Subsetter(kept)
        picked.populate(text=gbk())
        picked.subset(font)
        for number, name in OURS.items():
            font["name"].setName(name, number, 3, 1, ENGLISH)  # as Windows reads them
        font.save(target)


if __name__ == "__main__":
    make(Path(sys.argv[1]), chinese.FILE)
    print(f"{chinese.FILE.name}: {chinese.FILE.stat().st_size} bytes")
