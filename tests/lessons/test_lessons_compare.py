"""What counts as a difference between two runs of a lesson, and what each section takes."""

import nbformat
import pytest

from course.notebooks import comparison as compare
from course.notebooks import reading_time

from . import runs


def cell(printed, *tags, **data):
    outputs = [nbformat.v4.new_output("stream", name="stdout", text=printed)]
    if data:
        kinds = {kind.replace("_", "/"): value for kind, value in data.items()}
        outputs.append(nbformat.v4.new_output("display_data", data=kinds))
    return nbformat.v4.new_code_cell(
        "run()", id="one", outputs=outputs, metadata={"tags": list(tags)}
    )


def differences(kept, new, database="book"):
    pages = (nbformat.v4.new_notebook(cells=[one]) for one in (kept, new))
    return runs.differences(*pages, database)


def test_another_output_is_shown_with_its_cell():
    found = differences(cell("three rows\n"), cell("two rows\n"))
    assert found.splitlines()[0] == "cell one:"
    assert {"-three rows", "+two rows"} <= set(found.splitlines())


@pytest.mark.parametrize(
    ("kept", "new"),
    [
        ("Table 'book.stu' is gone", "Table 'course_1a_gw0.stu' is gone"),
        ("see your MariaDB server version", "see your MySQL server version"),
    ],
)
def test_the_server_s_name_and_the_database_s_are_no_difference(kept, new):
    assert differences(cell(kept), cell(new), "course_1a_gw0") == ""


def test_figures_may_differ_where_they_are_timings_and_sentences_may_not():
    kept = cell("took 3 ms\nRaw is slower.\n", "timing")
    assert differences(kept, cell("took 9 ms\nRaw is slower.\n", "timing")) == ""
    assert "+Raw is faster." in differences(kept, cell("took 3 ms\nRaw is faster.\n", "timing"))
    assert differences(cell("took 3 ms\n"), cell("took 9 ms\n"))


def test_a_claim_that_the_figures_of_a_run_belie_is_no_difference_and_is_counted():
    kept, new = cell("It pays.\n", "timing"), cell("Not this time: It pays.\n", "timing")
    assert differences(kept, new) == ""
    assert runs.failed_claims(nbformat.v4.new_notebook(cells=[kept])) == []
    assert runs.failed_claims(nbformat.v4.new_notebook(cells=[new])) != []
    assert differences(cell("It pays.\n"), cell("Not this time: It pays.\n"))


def test_a_picture_may_differ_and_not_be_missing():
    kept = cell("It falls.\n", "plot", image_png="AAAA")
    assert differences(kept, cell("It falls.\n", "plot", image_png="BBBB")) == ""
    assert "kept pictures ['image/png'], new []" in differences(kept, cell("It falls.\n", "plot"))


@pytest.mark.parametrize(
    ("kept", "new", "stays"),
    [
        (cell("took 3 ms\nIt pays.\n", "timing"), cell("took 9 ms\nIt pays.\n", "timing"), True),
        (cell("It pays.\n", "timing"), cell("Not this time: It pays.\n", "timing"), True),
        (cell("Not this time: It pays.\n", "timing"), cell("It pays.\n", "timing"), False),
        (cell("3 ms\nIt pays.\n", "timing"), cell("3 ms\n4 ms\nIt pays.\n", "timing"), False),
        (cell("3 ms\nIt pays.\n", "timing"), cell("3 ms\nIt costs.\n", "timing"), False),
        (cell("Seen.\n", "plot", image_png="A"), cell("Seen.\n", "plot", image_png="B"), True),
        (cell("3 rows\n"), cell("4 rows\n"), False),
        (cell("in 'book'\n"), cell("in 'book'\n"), True),
    ],
)
def test_a_run_keeps_figures_that_say_the_same(kept, new, stays):
    expected = kept.outputs if stays else new.outputs
    run = nbformat.v4.new_notebook(cells=[new])
    compare.keep_figures(nbformat.v4.new_notebook(cells=[kept]), run)
    assert run.cells[0].outputs == expected


def test_figures_that_are_kept_come_from_one_run():
    def notebook(*cells):
        return nbformat.v4.new_notebook(cells=list(cells))

    table, plot = cell("took 3 ms\nIt pays.\n", "timing"), cell("Seen.\n", "plot", image_png="A")
    other_table, other_plot = cell("took 9 ms\nIt pays.\n", "timing"), cell("Drawn.\n", "plot")
    run = notebook(other_table, other_plot)
    compare.keep_figures(notebook(table, plot), run)
    assert [one.outputs for one in run.cells] == [other_table.outputs, other_plot.outputs]


def test_a_picture_that_now_carries_letters_is_new_alone():
    table, drawing = (
        cell("took 3 ms\nIt pays.\n", "timing"),
        cell("Seen.\n", "plot", image_svg_xml="<svg/>"),
    )
    other_table, other_drawing = (
        cell("took 9 ms\nIt pays.\n", "timing"),
        cell("Seen.\n", "plot", image_svg_xml="<svg><style>@font-face {}</style></svg>"),
    )
    run = nbformat.v4.new_notebook(cells=[other_table, other_drawing])
    compare.keep_figures(nbformat.v4.new_notebook(cells=[table, drawing]), run)
    assert [one.outputs for one in run.cells] == [table.outputs, other_drawing.outputs]


def test_a_table_is_compared_as_markdown():
    kept = cell("", text_markdown="| a |\n| --- |\n| 1 |", text_plain="same")
    other = cell("", text_markdown="| a |\n| --- |\n| 2 |", text_plain="same")
    assert "+| 2 |" in differences(kept, other)


def test_a_claim_is_a_sentence_without_digits():
    said = cell("Raw is slower.\nIt takes 3 ms.\nraw without a capital\nFour words, no stop\n")
    assert runs.claims(said) == ["Raw is slower."]


def test_minutes_count_words_lines_predictions_and_the_run():
    shown = "`demos/x.py`\n\n```python\nimport a\n\nfirst()\nsecond()\n```"
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Title"),
            nbformat.v4.new_markdown_cell("<details>\n\nFor who misses it.\n\n</details>"),
            nbformat.v4.new_code_cell("import sys\nready()", id="setup"),
            nbformat.v4.new_markdown_cell("## 1. Ask\n\n**Predict, then run.** " + "word " * 145),
            cell("", text_markdown=shown),
            nbformat.v4.new_markdown_cell("## Summary"),
        ]
    )
    first, asked, summary = reading_time.sections(notebook, {"one": 12.0})
    assert (first.title, asked.title, summary.title) == (
        "What you need, and set-up",
        "1. Ask",
        "Summary",
    )
    words, lines = 150, 3  # the heading's number counts as a word; `run()` and two lines shown
    per_word = 60 / reading_time.WORDS_A_MINUTE
    expected = words * per_word + lines * reading_time.LINE + reading_time.PREDICTION + 12
    assert asked.seconds == pytest.approx(expected)
    assert first.seconds == pytest.approx(per_word)  # the set-up cell is run, not read


def test_minutes_leave_out_the_refresher_and_count_what_may_be_skipped_apart():
    markdown = nbformat.v4.new_markdown_cell
    notebook = nbformat.v4.new_notebook(
        cells=[
            markdown("# Title"),
            markdown("<details>" + "word " * 300 + "</details>", id="refresher"),
            markdown("## 1. Ask\n\n" + "word " * 148),
            markdown("## Going deeper"),
            markdown("## 2. Ask more\n\n" + "word " * 297),
            markdown("## Summary"),
        ]
    )
    found = reading_time.sections(notebook, {})
    assert [one.title for one in found if one.deeper] == ["2. Ask more"]
    assert reading_time.total(found) == pytest.approx(1.0, abs=0.05)
    assert reading_time.total(found, deeper=True) == pytest.approx(2.0, abs=0.05)
