"""A0: the app's configuration, in a class for `app.config.from_object`."""

import secrets


class Settings:
    """The settings of the app, and a name that is not in capitals."""

    # This key signs the session cookie. It is new at each start, which logs everybody out.
    SECRET_KEY = secrets.token_hex()
    SESSION_COOKIE_SAMESITE = "Lax"  # a form on another site does not send our cookie
    colour = "green"
