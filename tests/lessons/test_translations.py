"""The editions in other languages keep step with the English course, by construction."""

import ast
import contextvars
import json
import re
import shutil
import warnings
from contextlib import contextmanager

import pytest

from course.ground import language, manifest, place, sentences
from course.notebooks import exercises, lessons, made, now_you, run_sheet, start_page, trust
from course.translations import catalogue, edition, extraction, rules, terms
from course.translations import lacking as verb

SOURCES = {source.name: source for source in catalogue.sources("zh")}
AREAS = extraction.areas()


@contextmanager
def speaking_chinese(home):
    """Have the Chinese edition in a folder of its own."""
    english, here = place.lessons, home / "lessons-zh"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            place, "lessons", lambda: english() if language.chosen() == language.USUAL else here
        )
        patch.setenv("COURSE_STATE_DIR", str(home / ".course"))
        patch.setenv("COURSE_LANG", "zh")
        yield here


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """What is made at the first start."""
    home = tmp_path_factory.mktemp("edition")
    with speaking_chinese(home):
        edition.make("zh")
    return home


@pytest.fixture
def chinese(first, tmp_path):
    """The Chinese edition, for one test."""
    shutil.copytree(first, tmp_path / "course")
    with speaking_chinese(tmp_path / "course") as here:
        yield here


def notebook(file):
    return json.loads(file.read_text("utf-8"))


# -- the catalogues --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOURCES)
def test_an_entry_says_what_its_english_says(name):
    source = SOURCES[name]
    english, entries = catalogue.parts(source.file), catalogue.read(source.catalogue)
    of_this = {
        one: entry
        for one, entry in entries.items()
        if one in english and entry.hash == catalogue.hash_of(english[one])
    }
    assert [
        (one, verb.broken(source, english[one], entry.text))
        for one, entry in of_this.items()
        if verb.broken(source, english[one], entry.text)
    ] == []
    # A reader gets English in the place of these, with a mark: no reason to hold up who writes English.
    if old := [one for one in english if one not in of_this]:
        warnings.warn(f"{name}: to be translated: {', '.join(old)}", stacklevel=1)
    assert entries.keys() <= english.keys(), "an entry has lost its English"
    assert [*entries] == [one for one in english if one in entries], "another order"


@pytest.mark.parametrize("name", AREAS)
def test_a_sentence_in_another_language_has_the_same_values_and_code(name):
    file = language.sentences_of("zh", name)
    done = sentences.read(file)
    found = []
    for english, translated in done.items():
        places = set(sentences.HOLE.findall(english))
        if set(sentences.HOLE.findall(translated)) != places:
            found.append((english, "other values"))
        if english != translated:
            broken = [
                one for one in rules.broken(_said(english), _said(translated)) if "list" not in one
            ]
            found += [(english, one) for one in broken]
    assert found == []
    if undone := extraction.undone("zh", name):
        warnings.warn(f"{name}.po: {len(undone)} sentences to be translated", stacklevel=1)


def _said(text):
    """Return a sentence with a word in the place of each value: what a reader sees there."""
    return sentences.HOLE.sub("X", text)


def test_the_catalogues_hold_what_babel_finds():
    for name in AREAS:
        catalogue = language.sentences_of("zh", name)
        before, written = catalogue.read_bytes(), catalogue.stat().st_mtime_ns
        extraction.update("zh", name)
        if before == catalogue.read_bytes():
            assert catalogue.stat().st_mtime_ns == written
        else:
            catalogue.write_bytes(before)
            warnings.warn(
                f"{name}.po is old: python3 -m course translations --update", stacklevel=1
            )


def test_babel_finds_all_that_pages_and_scripts_say():
    folder = place.ROOT / "course" / "stage" / "page"
    done = sentences.read(language.sentences_of("zh", "stage"))
    for file in [*folder.glob("*.js"), *folder.glob("*.html")]:
        calls = re.findall(r"\bsaid\((?!sentence)", file.read_text("utf-8"))
        found = list(extraction.of_page(file))
        # A sentence that is put together, or in a piece of a template, would not be found.
        assert len(found) == len(calls), file
        if file.name == "clients.js":
            assert "Load {0} again" in found and done["Load {0} again"].count("{0}") == 1


def test_babel_finds_all_that_commands_say():
    """Also a line of one word: it is given to `translated`, if nothing else shows that it is for a reader."""
    done = sentences.read(language.sentences_of("zh", "course"))
    unknown = []
    for file, _ in AREAS["course"]:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("say.line", "say.note"):
                said = extraction.text_of(node.args[0]) or ""
                in_words = re.search(r"[A-Za-z]{3,}", sentences.HOLE.sub("", said)) and " " in said
                if in_words and not {said, said.strip()} & done.keys():
                    unknown.append(said.split()[0])
    assert unknown == ["export", "written:"], "the first is for a shell, the second for authors"


def test_a_notebook_without_its_set_up_answers_in_the_readers_language(tmp_path):
    with language.speaking("zh"):
        exercises.prepare_kernels(tmp_path)
    (file,) = tmp_path.rglob("*.py")
    assert "还没有开始检查" in file.read_text("utf-8")


def test_the_reader_of_catalogues_reads_what_babel_reads():
    for name in AREAS:
        file = language.sentences_of("zh", name)
        babel = {
            str(one.id): str(one.string)
            for one in extraction.read("zh", name)
            if one.id and one.string and not one.fuzzy
        }
        assert sentences.read(file) == babel


@pytest.mark.parametrize(
    ("english", "translated", "said"),
    [
        ("Call `commit()`.", "调用 `rollback()`。", "code spans"),
        ("See [this](a.ipynb).", "见[这里](b.ipynb)。", "links"),
        ("It takes 3 of 20.", "20 个里占 4 个。", "numbers"),
        ("## 3. One", "## 4. 一", "headings"),
        ("Section B3 shows it.", "B4 里有。", "sections of the source"),
        ("- one\n- two", "- 一", "list items"),
        ("| a |\n|---|\n| b |", "| 甲 |\n|---|", "rows of tables"),
        ("```\nx = 1\n```", "```\nx = 2\n```", "code blocks"),
        ("<details>\na", "啊", "tags"),
    ],
)
def test_a_translation_that_says_something_else_is_refused(english, translated, said):
    assert any(one.startswith(said) for one in rules.broken(english, translated))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("用PyMySQL连接", "no blank between Han and Latin"),
        ("你好, 世界", "half-width punctuation"),
        ("你好 ，世界", "a blank beside"),
        ("连接(新的)", "half-width brackets"),
        ("连接，\n然后提交", "a line that is broken"),
    ],
)
def test_chinese_is_set_as_chinese(text, said):
    assert any(said in one for one in rules.badly_set(text, in_lines=False))
    assert (
        rules.badly_set(
            "**先预测，再运行。** 用 PyMySQL 连接 `MySQL`：`commit()` 会提交吗？", in_lines=False
        )
        == []
    )


def test_terms_are_those_of_the_glossary():
    assert terms.missing("A connection pool lends connections.", "池子把连线借出去。") == [
        "connection pool (连接池)",
        "connection (连接)",
    ]
    assert terms.missing("A connection pool lends connections.", "连接池把连接借出去。") == []


# -- the edition -----------------------------------------------------------------------------------


def test_each_lesson_has_the_same_cells_code_and_outputs(chinese):
    for source in sorted(place.english().glob("[0-9]*.ipynb")):
        english, other = notebook(source)["cells"], notebook(chinese / source.name)["cells"]
        assert [cell["id"] for cell in english] == [cell["id"] for cell in other]
        for before, after in zip(english, other, strict=True):
            if before["cell_type"] == "code":
                assert before["source"] == after["source"]
                assert _outputs(before) == _outputs(after)
            elif before["id"].startswith(now_you.MARK):
                assert "轮到你了" in "".join(after["source"])
            else:
                assert re.search("[\u3400-\u9fff]", "".join(after["source"])), before["id"]


def _outputs(cell):
    """Return what a cell has put out; of what it printed only what no sentence of the course is."""
    return [
        "".join(output["text"]).count("\n") if output["output_type"] == "stream" else output
        for output in cell["outputs"]
    ]


def test_exercises_are_the_same_with_the_same_ids(chinese):
    english = place.english() / "authors" / "exercises"
    for source in sorted(english.glob("[0-9]*.ipynb")):
        other = chinese / "authors" / "exercises" / source.name
        before, after = notebook(source)["cells"], notebook(other)["cells"]
        assert [(c["id"], c["cell_type"]) for c in before] == [
            (c["id"], c["cell_type"]) for c in after
        ]
        assert [c["source"] for c in before if c["cell_type"] == "code"] == [
            c["source"] for c in after if c["cell_type"] == "code"
        ]


def test_no_place_of_a_generated_text_is_left(chinese):
    for file in chinese.rglob("*.*"):
        if file.suffix in (".md", ".ipynb"):
            assert catalogue.MINUTES not in file.read_text("utf-8"), file


def test_the_readers_own_folder_is_that_of_the_edition(chinese):
    for file in chinese.rglob("*.ipynb"):
        assert "lessons/mine/" not in file.read_text("utf-8"), file
    lesson = (chinese / "05_wrap_in_mysqlhelp.ipynb").read_text("utf-8")
    assert "lessons-zh/mine/build/pool.py" in lesson


def test_an_old_part_is_shown_in_english_with_a_mark(chinese, monkeypatch):
    source = SOURCES["02_connect_raw_pymysql"]
    entries = catalogue.read(source.catalogue)
    old = {**entries, "needs": catalogue.Entry("## 1. 旧的", "0" * 12)}
    monkeypatch.setattr(catalogue, "read", lambda _: old)
    says = edition.Says(source)
    text = says.part("needs", catalogue.parts(source.file)["needs"])
    heading, mark, *rest = text.split("\n\n")
    assert heading == "## 1. What a connection needs"
    assert mark.startswith("> ")
    assert "three things" in rest[0]
    assert says.part("insert", says.english["insert"]) == entries["insert"].text


def test_what_the_reader_has_changed_stays(chinese, monkeypatch):
    lesson = chinese / "02_connect_raw_pymysql.ipynb"
    mine = notebook(lesson)
    mine["cells"][5]["source"] = ["# my own\n"]
    lesson.write_text(json.dumps(mine), "utf-8")
    made.keep({"inputs": "", lesson.name: "another version"})
    (said,) = edition.make("zh")
    assert "02_connect_raw_pymysql.new.ipynb" in said
    assert notebook(lesson)["cells"][5]["source"] == ["# my own\n"]
    assert (chinese / "02_connect_raw_pymysql.new.ipynb").exists()
    assert edition.make("zh") == []


def test_nothing_is_written_when_nothing_is_new(chinese, monkeypatch):
    def written(*_):
        raise AssertionError("written again")

    monkeypatch.setattr(edition.optionfile, "write_private", written)
    assert edition.make("zh") == []


def test_a_lesson_that_is_gone_comes_back(chinese):
    lesson = chinese / "03_share_a_pool.ipynb"
    lesson.unlink()
    edition.make("zh")
    assert lesson.exists()


def test_the_edition_is_trusted_as_it_was_made(chinese):
    first, second, *_ = lessons.every()
    second.path.write_text(second.path.read_text("utf-8") + "\n", "utf-8")
    assert first.path in trust.trusted()
    assert second.path not in trust.trusted()


def test_the_run_sheet_has_the_minutes_of_the_english_one(chinese):
    english = (place.english() / "README.md").read_text("utf-8")
    other = run_sheet.file().read_text("utf-8")
    for lesson in lessons.every():
        figures = run_sheet.figures(other, lesson)
        with language.speaking("en"):
            (same,) = [one for one in lessons.every() if one.number == lesson.number]
            assert [*figures.values()] == [*run_sheet.figures(english, same).values()]


def test_the_start_page_is_chinese(chinese):
    page = start_page.page({})
    left = re.findall(r"[A-Za-z']+(?: [A-Za-z']+){3,}", re.sub(r"`[^`]*`|\(.*?\)", "", page))
    assert left == []


# -- the language ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "chosen"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_TW.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "COURSE_LANG": "en"}, "en"),
        ({"LANGUAGE": "zh:en", "LANG": "en_US.UTF-8"}, "zh"),
        ({"COURSE_LANG": "zh"}, "zh"),
    ],
)
def test_the_language_is_that_of_the_reader(monkeypatch, settings, chosen):
    for name in (language.VARIABLE, *language.LOCALE):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert language.chosen() == chosen


def test_a_language_without_an_edition_is_refused(monkeypatch):
    monkeypatch.setenv(language.VARIABLE, "fr")
    assert "does not speak 'fr': choose one of en, zh" in language.refused()


def test_a_server_answers_several_readers():
    with language.speaking("en"):
        for name, said in (("zh", "zh"), ("fr", "en"), ("", "en")):
            context = contextvars.copy_context()
            context.run(language.answer_in, name)
            assert context.run(language.chosen) == said
        assert language.chosen() == "en"


def test_a_label_is_no_sentence_of_a_program():
    with language.speaking("zh"):
        assert language.entries("stage")["text"] == "文本"
        assert language.translated("text") == "text"
    with language.speaking("en"):
        assert language.entries("stage") == {}


def test_the_title_of_a_step_is_in_the_reader_s_language():
    with language.speaking("zh"):
        said = manifest.read()
        titles = [step.title for step in [*said.steps, *said.programs]]
    # Neither the sections before it, nor where the right way is.
    assert [title for title in titles if not re.match(r"[^：]*[\u3400-\u9fff]", title)] == []
    assert [title for title in titles if re.search(r"\.\./|^[AB]\d|。$", title)] == []
    assert "原教程的群聊，带有 W2、W4、W5、W7 到 W10、W13" in titles


SAID = sentences.Sentences(
    {
        "No error.": "没有错误。",
        "{asked} requests for {count} messages": "{count} 条消息用了 {asked} 次请求",
        "{number} wrong: {observed}. For help: {hint}": "{number} 错误：{observed}。提示：{hint}",
        "Ready: the database answers.": "数据库已就绪。",
        "a dict {'id': 1}": "字典 {'id': 1}",
    }
)


@pytest.mark.parametrize(
    ("english", "translated"),
    [
        ("No error.", "没有错误。"),
        ("7 requests for 3 messages", "3 条消息用了 7 次请求"),
        (
            "2.1 wrong: 7 requests for 3 messages. For help: h",
            "2.1 错误：3 条消息用了 7 次请求。提示：h",
        ),
        ("No error.\nRow 1\nReady: the database answers.\n", "没有错误。\nRow 1\n数据库已就绪。\n"),
        ("  No error.", "  没有错误。"),
        ("No error. Ready: the database answers.", "没有错误。数据库已就绪。"),
        ("a dict {'id': 1}", "字典 {'id': 1}"),
        ("What nobody has translated.", "What nobody has translated."),
        ("", ""),
    ],
)
def test_a_sentence_is_found_by_its_shape(english, translated):
    assert SAID.translated(english) == translated
