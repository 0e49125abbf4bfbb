"""E15: the key that signs the source's cookies is printed in the source, so everybody can sign.

Right: `secret_key` in private_chat/web/app.py makes a key for each copy of the course, and
stores it outside the repository.
"""

from flask import Flask
from flask.sessions import SecureCookieSessionInterface

# The source's own value. Whoever has read the source has it: this is no secret.
SECRET_KEY = "welcome to my site"


def sign(session: dict[str, object], key: str = SECRET_KEY) -> str:
    """Return the value of a cookie that Flask accepts as its own session, if `key` is its key."""
    signer = Flask(__name__)
    signer.secret_key = key
    serializer = SecureCookieSessionInterface().get_signing_serializer(signer)
    assert serializer  # None without a key
    return str(serializer.dumps(session))
