"""A frame drawn bit by bit: what is drawn is what is in it."""

import xml.etree.ElementTree as ElementTree

import pytest
from websockets.frames import Frame, Opcode

from demos.group_chat.connection import frames
from demos.group_chat.wire_tap.frame_drawing import SHOWN, FrameDrawing

SVG = "{http://www.w3.org/2000/svg}"


def drawn(frame):
    """All texts of the drawing, in the order of drawing."""
    root = ElementTree.fromstring(FrameDrawing(frame)._repr_svg_())
    return [mark.text for mark in root.iter(f"{SVG}text")]


def bits(frame):
    return "".join(text for text in drawn(frame) if text in ("0", "1"))


@pytest.mark.parametrize(
    "frame",
    [
        Frame(Opcode.TEXT, "你好".encode()).serialize(mask=True),
        Frame(Opcode.TEXT, b"hello", fin=False).serialize(mask=False),
        Frame(Opcode.PING, b"").serialize(mask=True),
        frames.encode(frames.BINARY, bytes(range(8))),
        frames.encode_close(3001, "bye"),
    ],
    ids=["masked text", "part of a text", "empty ping", "binary", "close"],  # a mask is random
)
def test_every_bit_is_drawn_in_order(frame):
    assert bits(frame) == "".join(f"{byte:08b}" for byte in frame)


@pytest.mark.parametrize(("size", "header"), [(125, 2), (126, 4), (65535, 4), (65536, 10)])
def test_a_long_payload_is_cut_and_that_is_said(size, header):
    frame = frames.encode(frames.TEXT, b"x" * size)
    shown = header + SHOWN
    assert bits(frame) == "".join(f"{byte:08b}" for byte in frame[:shown])
    assert f"{size} bytes" in drawn(frame)
    assert FrameDrawing(frame).caption.endswith(f"; the first {shown} are drawn")


def test_a_masked_payload_is_shown_with_its_mask_undone():
    frame = bytes.fromhex("81 82 37fa213d") + bytes([ord("h") ^ 0x37, ord("i") ^ 0xFA])
    drawing = FrameDrawing(frame)
    assert drawing.payload == b"hi"
    assert drawing.caption == "8 bytes: text “hi”"
    assert [field.says for field in drawing.fields[-2:]] == ["5f ^ 37 = 68 h", "93 ^ fa = 69 i"]


def test_the_fields_are_those_of_the_rfc():
    drawing = FrameDrawing(frames.encode_close(1008, "policy"))
    assert [(field.kind, field.bits) for field in drawing.fields[:5]] == [
        ("FIN", "1"),
        ("RSV", "000"),
        ("opcode", "1000"),
        ("MASK", "0"),
        ("length", "0001000"),
    ]
    assert drawing.caption == "10 bytes: close 1008 policy"


def test_in_words_it_has_a_line_for_each_field():
    drawing = FrameDrawing(frames.encode(frames.PONG, b"x"))
    lines = repr(drawing).splitlines()
    assert lines[0] == "3 bytes: pong"
    assert len(lines) == 1 + len(drawing.fields)
    assert lines[3] == "opcode               1010  a: pong"


def test_what_a_frame_says_is_text_in_the_drawing():
    assert drawn(frames.encode(frames.TEXT, b'<b>&"'))[0] == '7 bytes: text “<b>&"”'


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "two bytes or more"),
        (b"\x81", "two bytes or more"),
        (b"\x81\x05hell", "a frame of 7 bytes, and has 6"),
        (b"\x81\x01hello", "a frame of 3 bytes, and has 7"),
        (b"\x81\x85\x00", "a frame of 11 bytes, and has 3"),
    ],
)
def test_half_a_frame_is_a_sentence(data, sentence):
    with pytest.raises(ValueError, match=sentence):
        FrameDrawing(data)
