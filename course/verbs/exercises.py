"""`python3 -m course exercises`: how far a student is, what comes next, and a check at each save.

Standard library only: the command line imports it before anything is installed.
"""

from course.ground import environment, language, place, say
from course.notebooks import exercises, next_up, now_you, progress, run_sheet
from course.practice import watch

ACTIONS = {
    "next": "say which exercise comes next, and where it is",
    "watch": "check what you changed whenever you save a notebook",
    "generate": "for authors: write lessons/authors/exercises/ from lessons/authors/solutions/",
}


def run(action: str | None) -> int:
    """Run `exercises`, or one of its actions; return the exit code.

    Raises:
        CourseError: what it needs is not there.
    """
    if action == "generate":
        return _generate()
    if action == "watch":
        return watch.run()
    if action == "next":
        _hand_out()
        entries, sentence = progress.load()
        for line in [*([sentence] if sentence else []), *next_up.sentences(entries)]:
            say.line(line)
        return 0
    environment.ensure()
    _hand_out()
    # The bars are drawn by a package, which only the environment's Python has.
    return environment.run("course.notebooks.progress")


def _generate() -> int:
    language.choose(language.USUAL)  # the English notebooks are those that are written
    changed = exercises.generate()
    for path in changed:
        say.line(f"written: {place.shown(path)}" if path.exists() else f"removed: {path.name}")
    if not changed:
        say.line("lessons/authors/exercises/ is up to date.")
    for sentence in now_you.write():
        say.line(sentence)
    if run_sheet.renew_exercises():
        say.line(f"written: {place.shown(run_sheet.file())}")
    return 0


def _hand_out() -> None:
    for sentence in exercises.hand_out():
        say.line(sentence)
