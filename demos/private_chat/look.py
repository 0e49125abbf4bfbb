"""The look of the pages, and the scripts that they share with those of the group chat."""

from flask import Blueprint

# Served at static/group_chat/…, beside the messenger's own files.
look = Blueprint(
    "look", "demos.group_chat", static_folder="static", static_url_path="/static/group_chat"
)
