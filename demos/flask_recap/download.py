"""A0: a blueprint: routes that an app adds in one line, with their own prefix."""

from flask import Blueprint, Response, jsonify, send_file

from demos.flask_recap.notices import NOTICES

download = Blueprint("download", __name__, url_prefix="/download")


@download.route("/poster")
def poster() -> Response:
    """Send a file. The content type comes from the ending of its name."""
    return send_file("assets/poster.svg")


@download.route("/rules")
def rules() -> Response:
    """Send a file that the browser saves, under this name."""
    return send_file("assets/rules.txt", as_attachment=True, download_name="守则.txt")


@download.route("/notices")
def notices() -> Response:
    """Send all notices as JSON, for programs."""
    return jsonify(NOTICES)
