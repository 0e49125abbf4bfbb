"""What the catalogues of the editions lack: parts that are missing, stale or broken, and sentences without a translation."""

import argparse
from collections.abc import Iterator

from course.ground import environment, language, place, say
from course.ground.errors import CourseError
from course.translations import catalogue, rules, terms


def tell(words: argparse.Namespace) -> int:
    """Do what the command line asks for; return 0 if nothing is missing, stale or broken."""
    wrong = 0
    for name in language.TRANSLATED:
        for source, cells in _chosen(name, words.names):
            if words.stamp:
                _stamp(source, cells)
            problems = list(_problems(source, cells))
            for problem in problems:
                say.line(f"{source.name}: {problem}")
            wrong += len(problems)
    say.line(f"{wrong or 'no'} places of the texts to look at")
    # Sentences are found by a package, which only the environment's Python has.
    if not words.names:
        wrong += environment.run("course.translations.extraction", *["--update"] * words.update)
    return 1 if wrong else 0


def _chosen(spoken: str, names: list[str]) -> Iterator[tuple[catalogue.Source, set[str]]]:
    """Yield what the names mean in a language: each source with the parts that are named; none for all."""
    every = catalogue.sources(spoken)
    if not names:
        yield from ((source, set()) for source in every)
    for name in names:
        file, _, cell = name.partition(":")
        found = [source for source in every if source.name.startswith(file)]
        if not found:
            raise CourseError(
                f"nothing that is translated is called {file}; python3 -m course translations names all."
            )
        yield from ((source, {cell} if cell else set()) for source in found)


def _stamp(source: catalogue.Source, cells: set[str]) -> None:
    """Stamp the named entries, or those that have no hash yet, as far as they keep the rules."""
    entries, english = catalogue.read(source.catalogue), catalogue.parts(source.file)
    whole = {
        name: english[name]
        for name, entry in entries.items()
        if name in english
        and (name in cells if cells else not entry.hash)
        and not broken(source, english[name], entry.text)
    }
    if whole:
        catalogue.stamp(source.catalogue, whole)


def broken(source: catalogue.Source, english: str, translated: str) -> list[str]:
    """Return which rules an entry of a catalogue breaks, a sentence for each."""
    unused = terms.missing(rules.words(english), translated)
    return [
        *rules.broken(english, translated),
        *rules.badly_set(translated, in_lines=source.file.suffix in (".py", ".js")),
        *([f"terms not as in the glossary: {', '.join(unused)}"] if unused else []),
    ]


def _problems(source: catalogue.Source, cells: set[str]) -> Iterator[str]:
    english, entries = catalogue.parts(source.file), catalogue.read(source.catalogue)
    if not entries:
        yield f"there is no {place.shown(source.catalogue)}"
        return
    for name, text in english.items():
        if cells and name not in cells:
            continue
        if name not in entries:
            yield f"{name} is missing"
            continue
        yield from (f"{name}: {one}" for one in broken(source, text, entries[name].text))
        if not entries[name].hash:
            yield f"{name} is not stamped"
        elif entries[name].hash != catalogue.hash_of(text):
            yield f"{name} is stale: the English has changed since"
    yield from (f"{name} has no English any more" for name in entries if name not in english)
    if [*entries] != [name for name in english if name in entries] and set(entries) <= set(english):
        yield "the entries are not in the order of the English"
