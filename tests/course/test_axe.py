"""Every page of the course, as axe-core sees it: those of the steps, before and after log-in, and the stage."""

import pytest
from playwright.sync_api import expect

from tests.support.axe import faults
from tests.support.servers import Servers

from .stages import Stage

# One step for each template of a page.
STEPS = [
    "flask_recap/step1_seven_heads",
    "group_chat/step1_echo",
    "group_chat/step2_push_techniques",
    "group_chat/step3_nameless_room",
    "group_chat/step5_room_that_holds",
    "pool_demo/step8_see_the_pool",
    "private_chat/step1_by_name",
]
WINDOW = {"width": 1280, "height": 900}


@pytest.fixture
def start(tmp_path, book, monkeypatch):
    """Start a step and return it."""
    monkeypatch.setenv("SECRET_KEY", "the tests' own")
    running = []

    def run(step):
        demo, _, module = step.partition("/")
        running.append(Servers(tmp_path, demo))
        return running[-1].start(module)

    yield run
    for servers in running:
        servers.end()


@pytest.mark.parametrize("step", STEPS)
def test_the_page_of_a_step(new_page, start, step):
    assert faults(new_page(start(step).page, viewport=WINDOW)) == []


def test_the_messenger_from_the_door_to_a_talk(new_page, start):
    server = start("private_chat/step5_offline")
    page = new_page(f"{server.url}/register", viewport=WINDOW)
    assert faults(page) == []
    page.goto(server.page)
    assert faults(page) == []
    page.get_by_role("textbox", name="Name").fill("韩雪")
    page.get_by_role("textbox", name="Password").fill("let-me-learn")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="舒畅").first).to_be_visible()
    assert faults(page) == []
    page.get_by_role("link", name="舒畅").first.click()
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()
    assert faults(page) == []


@pytest.fixture
def stage(tmp_path, prepared, clean_environment):
    opened = Stage(tmp_path, prepared, clean_environment)
    yield opened
    opened.close()


def test_the_stage_with_all_that_it_can_show(stage, new_page):
    page = new_page(
        f"{stage.url}?key={stage.key}#group_chat/step4_nicknames", viewport=WINDOW, tolerate="focus"
    )
    expect(page.locator("#command")).to_contain_text("step4_nicknames")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("iframe")).to_have_count(3)
    page.get_by_role("button", name="Notes").click()
    page.get_by_text("See the wire").click()
    page.get_by_role("button", name="request").first.click()
    expect(page.locator(".wire-opened")).to_be_visible()
    # Hundreds of lines of code that are all alike take axe half a minute, and the step's page has its own test.
    assert faults(page, leave_out=[".code", "iframe"]) == []
    page.get_by_role("button", name="Keys").click()
    assert faults(page, leave_out=[".columns"]) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Reset data").click()
    assert faults(page, leave_out=[".columns"]) == []
    page.keyboard.press("Escape")
    notes = page.context.new_page()
    notes.goto(f"{stage.url}notes")
    expect(notes.locator("#title")).not_to_have_text("Waiting for the stage…")
    assert faults(notes) == []
