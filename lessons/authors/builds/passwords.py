"""Quick hashes of passwords, while a judge logs the same users in dozens of times."""

from werkzeug.security import generate_password_hash

from course.messenger_client import PASSWORD
from lessons.authors.checks.scene import ask

QUICK = "scrypt:256:8:1"  # for the judge alone; 32768 is what a password of a person needs

Hashes = dict[int, str]  # {id of the user: hash of the password}


def make_quick() -> Hashes:
    """Give all users a hash that is checked at once: one of the seed takes a twentieth of a second.

    Returns: the hashes as they were.
    """
    found = {row["id"]: row["password"] for row in ask("select id, password from userinfo")}
    put_back(dict.fromkeys(found, generate_password_hash(PASSWORD, QUICK)))
    return found


def put_back(hashes: Hashes) -> None:
    """Write the hashes of these users."""
    for number, kept in hashes.items():
        ask("update userinfo set password = %s where id = %s", kept, number)
