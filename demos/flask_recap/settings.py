"""A0: the app's configuration, in a class for `app.config.from_object`."""

import secrets


class Settings:
    """What holds everywhere. `from_object` takes the names in capitals, and no others."""

    # Signs the cookie with the session. New at each start, so a restart logs everybody out.
    SECRET_KEY = secrets.token_hex()
    SESSION_COOKIE_SAMESITE = "Lax"  # a form on another site is sent without our cookie
    colour = "green"  # not in capitals: the app does not get it
