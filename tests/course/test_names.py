"""Every file, step, module and command that a page, a lesson or a lesson's tool names exists."""

import re
import shlex

import pytest

from course import cli
from course.ground.place import ROOT
from course.notebooks import lessons
from course.verbs import steps

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("deploy/*.md")),
    *sorted(ROOT.glob("bench/*.md")),
    *sorted(ROOT.glob("lessons/**/README.md")),
    ROOT / "lessons" / "glossary.md",
    *(lesson.path for lesson in lessons.every()),
    *(ROOT / "course" / name for name in ("lesson.py", "ground/kernel.py")),
]
FOLDERS = "bench|course|demos|deploy|docs|lessons|sql|tests"
MADE = ["lessons/mine", "lessons/clean", "lessons/start.md"]  # by commands
PLACEHOLDER = r"\.\.\.|…|<|\bNN\b|\[NAME\]|[*{]"  # stands for a name


@pytest.fixture(params=PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def page(request):
    return request.param


def text(path):
    """What a page says; a notebook says its prose and its code."""
    if path.suffix == ".ipynb":
        from course.notebooks import execution

        return "\n\n".join(cell.source for cell in execution.read(path).cells)
    return path.read_text("utf-8")


def commands(said):
    """The commands of the course in a text: between back ticks, in quotes, or on lines of a shell block."""
    quoted = re.findall(r"[`'\": ](python3 -m course\b[^`\"\n#]*)[`\"\n#]", said)
    lines = re.findall(r"^(python3 -m course\b[^#\n]*)", said, re.MULTILINE)
    found = {one.strip().rstrip("'.,;") for one in [*quoted, *lines]}
    return {one for one in found if not re.search(PLACEHOLDER, one)}


def test_files(page):
    named = set(re.findall(rf"(?<![\w/.-])(?:{FOLDERS})/[\w./*{{}}<>-]*[\w/]", text(page)))
    named |= {f"lessons/{name}" for name in re.findall(r"(?<!/)\b\d\d_\w+\.ipynb", text(page))}
    plain = [name for name in named if not re.search(PLACEHOLDER, name)]
    made = [name for name in plain if name.startswith(tuple(MADE))]
    assert [name for name in plain if name not in made and not (ROOT / name).exists()] == []


def test_links(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text(page)):
        if page.suffix != ".py" and not target.startswith(("http://", "https://")):
            file = page.parent / target
            made = str(file.relative_to(ROOT)).startswith(tuple(MADE))
            assert made or file.exists(), target


def test_steps(page):
    for name in set(re.findall(r"\b\w+_(?:demo|chat)/step\w+", text(page))):
        assert steps.find(name).path.startswith(name)


def test_modules(page):
    for name in set(re.findall(r"\bpython3? -m ((?:demos|bench)\.[\w.]*\w)", text(page))):
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), name


def test_commands(page, capsys):
    for command in commands(text(page)):
        words = shlex.split(command)[3:]
        if words[:1] != ["test"]:  # the rest is pytest's
            try:
                cli._parser().parse_args(words)
            except SystemExit as refused:
                assert refused.code == 0, f"{command}: {capsys.readouterr().err}"


def test_pages_name_commands_at_all():
    assert "python3 -m course db start" in commands(text(ROOT / "docs" / "commands.md"))
    assert "python3 -m course bench pool --quick" in commands(text(ROOT / "bench" / "README.md"))
    first = text(lessons.find("00").path)
    assert {"python3 -m course", "python3 -m course db reset"} <= commands(first)


def test_a_wrong_command_would_be_found():
    assert commands("say `python3 -m course lesson run` now") == {"python3 -m course lesson run"}
    with pytest.raises(SystemExit):
        cli._parser().parse_args(["lesson", "run"])
