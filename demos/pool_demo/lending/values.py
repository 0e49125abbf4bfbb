"""A7: how values are written into the SQL. PyMySQL sends unknown types as text; here not.

CONVERSIONS is for `pymysql.connect(conv=...)`. A scalar of numpy is sent as a number.
"""

from typing import Any

from pymysql.converters import conversions, escape_item

_NO_NUMBERS = ("datetime64", "timedelta64", "ndarray")  # of numpy


def _unknown(value: Any, mapping: Any = None) -> str:  # noqa: ANN401 - that is why it is here
    """Return the SQL for a value whose exact type PyMySQL does not know. Raises TypeError."""
    kind = type(value)
    if kind.__module__ == "numpy" and kind.__name__ not in _NO_NUMBERS:
        value = getattr(value, "item", lambda: value)()  # the number of Python, if it is one
    for number in (bool, int, float):
        if isinstance(value, number):  # an IntEnum, too
            return str(escape_item(number(value)))
    for base in kind.__mro__:  # a class that somebody made of `date`, say
        if base in conversions and base is not str:
            return str(conversions[base](value, None))
    raise TypeError(
        f"a value is a {kind.__module__}.{kind.__qualname__}, which the driver would send as text: "
        "convert it to a number, a text, bytes or a date first"
    )


# `Connection.escape` takes care of texts; for it, `str` is only the name of "everything else".
CONVERSIONS: dict[Any, Any] = {**conversions, str: _unknown}
