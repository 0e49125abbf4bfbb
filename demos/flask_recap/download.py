"""A0: a blueprint: routes that an app takes over in one line, with a prefix of their own."""

from flask import Blueprint, Response, jsonify, send_file

from demos.flask_recap.notices import NOTICES

download = Blueprint("download", __name__, url_prefix="/download")


@download.route("/poster")
def poster() -> Response:
    """A file. The content type is that of its name's ending."""
    return send_file("assets/poster.svg")


@download.route("/rules")
def rules() -> Response:
    """A file to keep: the browser saves it, under this name."""
    return send_file("assets/rules.txt", as_attachment=True, download_name="守则.txt")


@download.route("/notices")
def notices() -> Response:
    """All notices as JSON, for programs."""
    return jsonify(NOTICES)
