"""The parts that the messenger's pages share with the group chat's: head, style and scripts."""

from flask import Blueprint

# Served at static/group_chat/…, beside the messenger's own files.
shared_pages = Blueprint(
    "group_chat",
    "demos.group_chat",
    static_folder="static",
    static_url_path="/static/group_chat",
    template_folder="templates",  # base.html, conversation.html, parts.html
)
