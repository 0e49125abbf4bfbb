"""In which language the stage speaks: that of the course, until somebody chooses another one in his or her browser."""

from flask import Flask, current_app, request
from werkzeug.wrappers import Response

from course.ground import language, say
from course.ground.errors import CourseError, explain
from course.translations import wanted


def install(app: Flask) -> None:
    """Have an application answer each browser in its language, and its pages say what the catalogues have."""
    app.before_request(answer)
    app.context_processor(words)


def answer() -> None:
    """Speak the language that the browser of this request has chosen."""
    language.answer_in(request.cookies.get(_cookie(), ""))


def words() -> dict[str, object]:
    """Return what templates use: `said`, which translates; `sentences` for the scripts; and the languages."""
    here, sentences = language.chosen(), language.entries("stage")
    return {
        "said": lambda sentence: sentences.get(sentence, sentence),
        "sentences": sentences,
        "lang": language.HTML[here],
        "others": [
            (name, language.HTML[name], called) for name, called in language.others().items()
        ],
    }


def remember(response: Response, name: str) -> None:
    """Have a browser remember a language, and its edition made, as the notes are read from it; any other name: nothing.

    Raises:
        CourseError: the edition cannot be written.
    """
    if name not in language.NAMES:
        return
    try:
        for sentence in wanted.make(name):
            say.note(sentence)
    except OSError as error:
        raise CourseError(explain(error)) from error
    response.set_cookie(_cookie(), name, httponly=True, samesite="Lax")


def _cookie() -> str:
    return f"{current_app.extensions['guard'].cookie}-lang"
