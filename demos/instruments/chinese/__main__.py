"""Put the Chinese letters of SVG and HTML files into them; what has none stays as it is."""

import sys
from pathlib import Path

from demos.instruments import chinese

if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        file.write_text(chinese.lettered(file.read_text("utf-8")), "utf-8")
