"""Pictures carry their Chinese letters: the right ones, always the same, and a browser draws them."""

import base64
import io
import re
import warnings

import pytest
from fontTools.ttLib import TTFont

from demos.group_chat.connection import frames
from demos.group_chat.wire_tap.frame_drawing import FrameDrawing
from demos.instruments import chinese, plots
from demos.instruments.chinese import make
from demos.instruments.rounds import Sample

SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="60" height="60"><style></style>
<text font-family="'Course Han', sans-serif" font-size="50" y="50">{}</text></svg>"""
DATA = re.compile(r"base64,([^)]+)")
RARE = "玥喆堃祎芃犇"  # in names of today, and not in GB 2312


def carried(picture):
    """Return the font that a picture carries."""
    return TTFont(io.BytesIO(base64.b64decode(DATA.search(picture)[1])), recalcTimestamp=False)


def test_the_letters_are_those_that_the_command_takes():
    with TTFont(chinese.FILE) as font:
        assert set(font.getBestCmap()) == set(map(ord, make.gbk()))
        assert font["name"].getBestFamilyName() == chinese.FAMILY
        assert "Apache License" in font["name"].getDebugName(13)
    assert len(make.gbk()) > 21_000 and set(RARE) < set(make.gbk())


def test_a_picture_carries_what_it_shows_and_nothing_else():
    text = f"a “你好” {RARE}，😀"
    picture = chinese.lettered(SVG.format(text))
    assert set(carried(picture).getBestCmap()) == set(map(ord, f"你好{RARE}，"))
    assert chinese.lettered(SVG.format(text)) == picture
    assert len(picture) < 6000


@pytest.mark.parametrize("text", ["", "a “b” é 😀", "\ue000"])
def test_a_picture_that_needs_none_stays_as_it_is(text):
    assert chinese.lettered(SVG.format(text)) == SVG.format(text)


def test_letters_are_put_in_anew():
    once = chinese.lettered(SVG.format("你"))
    assert chinese.lettered(once) == once
    assert chinese.lettered(once.replace("你", "好")) == chinese.lettered(SVG.format("好"))
    assert chinese.lettered(once.replace("你", "a")) == SVG.format("a")


def test_a_drawn_frame_and_a_plot_carry_the_names_in_them():
    frame = FrameDrawing(frames.encode(frames.TEXT, "诸葛喆".encode()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as Matplotlib's about a letter that no font has
        plot = plots.bars({"等待": {"诸葛喆": Sample((1.0, 2.0))}}, "ms").svg()
    for picture, text in ((frame._repr_svg_(), "诸葛喆"), (plot, "等待诸葛喆")):
        assert set(carried(picture).getBestCmap()) == set(map(ord, text))
        families = re.findall(r"font-family(?:: |=\")'([^']+)'", picture)
        assert set(families) == {chinese.FAMILY}


def test_a_browser_draws_the_letters_that_a_picture_carries(new_page):
    """The test's browser has Chinese letters itself. So this asks for one that no machine has."""
    picture = chinese.lettered(SVG.format("你"))
    font = carried(picture)
    for table in font["cmap"].tables:
        table.cmap = {0xE000: table.cmap[ord("你")]}
    data = io.BytesIO()
    font.save(data)
    strange = DATA.sub(f"base64,{base64.b64encode(data.getvalue()).decode()}", picture)
    strange = strange.replace("你", "\ue000")
    page = new_page()

    def look(svg):
        page.set_content(
            f'<img src="data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}">'
        )
        return page.locator("img").screenshot()

    assert look(strange) != look(chinese.OWN.sub("", strange))  # which shows a box
