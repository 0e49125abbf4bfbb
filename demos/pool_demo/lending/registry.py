"""A7, E9: one object for each key, even if many threads ask for it at the same moment.

objects = Registry()
objects.get("a", Thing) is objects.get("a", Thing)
"""

import weakref
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from demos.pool_demo.lending.mutex import Mutex

T = TypeVar("T")


class Registry:
    """The objects of one process by their keys."""

    def __init__(self) -> None:
        """Begin with none."""
        self._objects: dict[Hashable, Any] = {}
        self._ever_made: weakref.WeakSet[Any] = weakref.WeakSet()  # removed ones too
        self._lock = Mutex()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the object of a key. The first call makes it."""
        with self._lock:
            if key not in self._objects:
                self._objects[key] = make()
                self._ever_made.add(self._objects[key])
            found: T = self._objects[key]
            return found

    def remove(self, key: Hashable, one: object) -> None:
        """Forget an object, so that the next call makes another; a newer one of its key stays."""
        with self._lock:
            if self._objects.get(key) is one:
                del self._objects[key]

    def objects(self) -> list[Any]:
        """Return the object of each key."""
        return list(self._objects.values())

    def after_fork(self) -> list[Any]:
        """In a child: return all objects that somebody still has, also those that were removed."""
        self._lock = Mutex()  # a thread that is not here may have held it
        return list({*self._ever_made, *self._objects.values()})  # a fork may divide them
