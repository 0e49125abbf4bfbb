"""Makes an edition where somebody wants one: who reads English does not even load what makes it."""

from course.ground import language


def make(name: str = "") -> list[str]:
    """Write what of an edition is missing or old; return what to say.

    Args:
        name: of its language; "" means the chosen one.

    Raises:
        OSError: it cannot be written.
    """
    name = name or language.chosen()
    if name == language.USUAL:
        return []
    from course.translations import edition

    return edition.make(name)
