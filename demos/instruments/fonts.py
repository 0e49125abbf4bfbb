"""Name a font of this machine that has Chinese characters; print nothing if it has none."""

from collections.abc import Iterable

from matplotlib import font_manager

CHARACTER = "课"  # of simplified Chinese


def with_chinese(files: Iterable[str]) -> str:
    """Return the name of the first font that has Chinese characters, or ""."""
    for file in files:
        try:
            font = font_manager.get_font(file)
        except (OSError, RuntimeError, ValueError):
            continue  # such as one of colour pictures
        if font.get_char_index(ord(CHARACTER)):
            return font.family_name
    return ""


if __name__ == "__main__":
    # Matplotlib asks fontconfig or the system; where neither answers, it looks in usual folders.
    print(with_chinese(sorted(font_manager.findSystemFonts())), end="")
