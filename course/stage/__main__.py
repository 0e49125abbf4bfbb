"""The stage's server: `python -m course.stage PORT`."""

import sys

from gevent import monkey

if __name__ == "__main__":
    monkey.patch_all()  # before anything else is imported that waits
    from course.stage.web import serve

    sys.exit(serve(int(sys.argv[1])))
