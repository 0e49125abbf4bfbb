"""Our extensions of JupyterLab: scripts that one page loads beside each other."""

import json

from course.notebooks import start_page

FOLDERS = sorted(path for path in start_page.EXTENSIONS.iterdir() if path.is_dir())


def test_all_of_them_load_in_one_page(new_page):
    page = new_page()
    for folder in FOLDERS:
        said = json.loads((folder / "package.json").read_text("utf-8"))
        assert said["name"] == folder.name
        script = folder / said["jupyterlab"]["_build"]["load"]
        page.add_script_tag(path=script)
    names = page.evaluate("Object.keys(globalThis._JUPYTERLAB)")
    assert names == [folder.name for folder in FOLDERS]


def test_a_folded_output_does_not_show_its_first_line(new_page):
    page = new_page()
    page.set_content(
        '<div class="jp-OutputPlaceholder"><span class="jp-PlaceholderText">the answer</span></div>'
    )
    text = page.locator(".jp-PlaceholderText")
    assert text.bounding_box()["width"] > 0
    page.add_script_tag(
        path=start_page.EXTENSIONS / "folded-answers" / "static" / "folded_answers.js"
    )
    page.evaluate(
        "globalThis._JUPYTERLAB['folded-answers'].get().then((module) => module().default.activate())"
    )
    assert text.evaluate("(one) => getComputedStyle(one).fontSize") == "0px"
    after = text.evaluate("(one) => getComputedStyle(one, '::after').content")
    assert after == '"run the cell to see"'
