"""E15: the key that signs the source's cookies is printed in the source: everybody can be anybody.

Right: `secret_key` in private_chat/app.py makes one for each checkout, and keeps it out of the
repository.
"""

from flask import Flask
from flask.sessions import SecureCookieSessionInterface

# The source's own value. Whoever has read the source has it: this is no secret.
SECRET_KEY = "welcome to my site"


def sign(session: dict[str, object], key: str = SECRET_KEY) -> str:
    """Return a cookie's value that Flask takes for a session of its own, if `key` is its key."""
    signer = Flask(__name__)
    signer.secret_key = key
    serializer = SecureCookieSessionInterface().get_signing_serializer(signer)
    assert serializer  # None without a key
    return str(serializer.dumps(session))
