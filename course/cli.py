"""The command line: `python3 -m course [VERB] ...`."""

import argparse
import signal
import sys
from collections.abc import Callable

from course.database import target
from course.ground import commandline, debian, environment, language, say, surroundings
from course.ground.errors import CourseError
from course.notebooks import readme_map
from course.translations import wanted
from course.verbs import (
    benches,
    build,
    checks,
    db,
    doctor,
    exercises,
    lab,
    lessons,
    stage,
    steps,
    translations,
)

# Verbs that show lessons and exercises, each in the reader's language; and those that write the English ones.
FOR_READERS = {None, "exercises", "build", "lessons", "stage"}
FOR_AUTHORS = {"map", "translations"}


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code; a failure is one sentence, never a traceback."""
    say.prepare()
    surroundings.tidy()
    target.forget_ours()
    # Whoever ends us or hangs up means what Ctrl-C means; `nohup` goes on meaning that nobody hangs up.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    return say.ending(lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    # What follows `test` and `db shell` is for another program, which knows its own options.
    spoken, words_after = _language_of(arguments)
    if spoken:
        language.choose(spoken)
    for verb, run in (("test", checks.run), ("db shell", target.shell)):
        words = verb.split()
        if words_after[: len(words)] == words and words_after[len(words) :][:1] not in (
            ["-h"],
            ["--help"],
        ):
            return run(words_after[len(words) :])
    chosen = _parser().parse_args(arguments)
    if chosen.lang:
        language.choose(chosen.lang)
    if sentence := language.refused():
        raise CourseError(sentence)
    if chosen.verb in FOR_READERS:
        for sentence in wanted.make():
            say.note(sentence)
    elif chosen.verb in FOR_AUTHORS:
        language.choose(language.USUAL)
    return RUN[chosen.verb](chosen)


def _language_of(arguments: list[str]) -> tuple[str, list[str]]:
    """Return the language that a command line begins with, "" if none, and the words after it."""
    option, is_one_word, name = "".join(arguments[:1]).partition("=")
    after = 1 if is_one_word else 2
    name = name or "".join(arguments[1:2])
    if option == "--lang" and name in language.NAMES:
        return name, arguments[after:]
    return "", arguments


def _parser() -> argparse.ArgumentParser:
    parser = commandline.Parser(prog="python3 -m course")
    parser.description = language.translated("Lessons, exercises and demos of the course.")
    parser.epilog = language.translated("Without a verb it opens the lessons in JupyterLab.")
    parser.add_argument(
        "--port",
        type=_port,
        default=0,
        help="JupyterLab's port (8888, or a free one if that is taken)",
    )
    parser.add_argument(
        "--lang",
        choices=[*language.NAMES],
        default="",
        help="the language of lessons and sentences (default: COURSE_LANG, else that of the locale)",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")

    verbs.add_parser("setup", help="only make ready: packages, server and seed").add_argument(
        "--test", action="store_true", help="also what the tests need"
    )
    verbs.add_parser(
        "test",
        help="run the suite; --all adds what takes longest; other arguments go to pytest",
        add_help=True,
    )
    step = verbs.add_parser("step", help="list the steps, or run one")
    step.add_argument("name", nargs="?", help="such as pool_demo/step2")
    step.add_argument("arguments", nargs=argparse.REMAINDER, help="passed on to the step")
    verbs.add_parser("stage", help="one page that shows every step and runs it").add_argument(
        "--port", type=_port, default=0, help="its port (8700, or a free one if that is taken)"
    )
    bench = verbs.add_parser("bench", help="list the benchmarks, or run one")
    bench.add_argument("name", nargs="?", help="such as pool")
    bench.add_argument("arguments", nargs=argparse.REMAINDER, help="passed on to the benchmark")
    practice = verbs.add_parser(
        "exercises", help="say how far you are and what comes next, or check at each save"
    )
    practice.add_argument(
        "action",
        nargs="?",
        choices=[*exercises.ACTIONS],
        help="; ".join(
            f"{one}: {language.translated(does)}" for one, does in exercises.ACTIONS.items()
        ),
    )
    making = verbs.add_parser("build", help="list what you can build, or judge what you have built")
    making.add_argument("name", nargs="?", help="such as group_chat")
    making.add_argument("--hint", action="store_true", help="a hint for the goal that comes next")
    making.add_argument("--watch", action="store_true", help="judge again whenever you save")
    lessons.add_actions(
        verbs.add_parser("lessons", help="list the lessons, run them anew, or make copies")
    )
    verbs.add_parser("map", help="for authors: write the course map of course.toml into README.md")
    translations.add_actions(
        verbs.add_parser("translations", help="for authors: what the Chinese edition lacks")
    )
    verbs.add_parser("doctor", help="say what is here, what is missing and what mends it")

    db.add_actions(verbs.add_parser("db", help="the private database server"), _port)
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(
            f"a port is a number from 1 to 65535, and this is {text!r}"
        )
    return int(text)


def _map() -> int:
    readme_map.write()
    say.line("README.md has the course map of course.toml.")
    return 0


def _setup(with_tests: bool) -> int:
    locks = [environment.TEST] if with_tests else []
    with debian.apt(), target.database(*locks) as database:
        if with_tests:
            checks.ensure_tools()
        say.line(f"Set up: {database.where}. Run the course with: python3 -m course")
    return 0


# What each verb does with what was chosen; without a name, some list what they have.
RUN: dict[str | None, Callable[[argparse.Namespace], int]] = {
    None: lambda chosen: lab.run(chosen.port),
    "setup": lambda chosen: _setup(chosen.test),
    "step": lambda chosen: (
        steps.run(chosen.name, chosen.arguments) if chosen.name else steps.show()
    ),
    "stage": lambda chosen: stage.run(chosen.port),
    "bench": lambda chosen: (
        benches.run(chosen.name, chosen.arguments) if chosen.name else benches.show()
    ),
    "exercises": lambda chosen: exercises.run(chosen.action),
    "build": lambda chosen: (
        build.run(chosen.name, chosen.hint, chosen.watch) if chosen.name else build.show()
    ),
    "lessons": lessons.dispatch,
    "map": lambda _: _map(),
    "translations": translations.dispatch,
    "doctor": lambda _: doctor.run(),
    "db": db.run,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
