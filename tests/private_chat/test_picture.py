"""The pictures of the messenger in README.md: two people at their desks, and one with a phone.

The test makes them in a folder of its own; this puts them where README.md looks:

    CHAT_SCREENSHOTS=docs/pictures python3 -m course test -k test_picture
"""

import base64
import os
from pathlib import Path

from playwright.sync_api import expect

from .people import PASSWORD, ask
from .test_pages import Messenger

DESK, PHONE = {"width": 1000, "height": 620}, {"width": 360, "height": 620}
# All messages are of today at 09:41 UTC, whenever the test runs.
CLOCK = """create trigger same_time before insert on messages for each row
    set new.sent_at = utc_date() + interval 581 minute"""
SIDE_BY_SIDE = """<main style="display: flex; gap: 16px; width: max-content; background: #777">
    <img src="data:image/png;base64,{}"><img src="data:image/png;base64,{}"></main>"""


def test_picture_of_two_desks_and_a_phone(book, start, new_page, tmp_path):
    ask(CLOCK)
    server = start("step6_several_processes")
    folder = Path(os.environ.get("CHAT_SCREENSHOTS", tmp_path))

    def sit_down(name, **options):
        page = new_page(f"{server.url}/login", timezone_id="UTC", locale="en-GB", **options)
        page.get_by_role("textbox", name="Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        return Messenger(page, name).connected()

    def shoot(messenger):
        return base64.b64encode(messenger.page.screenshot(animations="disabled")).decode()

    def keep(name, *shots):
        page = new_page()
        page.set_content(SIDE_BY_SIDE.format(*shots))
        page.locator("main").screenshot(path=folder / name)
        assert (folder / name).stat().st_size > 20_000

    xue, chang = (
        sit_down("韩雪", viewport=DESK),
        sit_down("舒畅", viewport=DESK, color_scheme="dark"),
    )
    yan = sit_down("唐嫣", viewport=PHONE)

    # 舒畅 writes to 唐嫣, who sees it in the list, opens it and answers.
    chang.open("唐嫣").say("302 教室，你来吗？")
    unread = yan.person("舒畅").locator(".unread")
    expect(unread).to_have_text("1 new")
    expect(yan.people.get_by_text("online")).to_have_count(2)
    phone_with_list = shoot(yan)
    yan.open("舒畅").sees("302 教室，你来吗？", "舒畅")
    yan.say("来！给我留个座")
    yan.sees("来！给我留个座", "我", "read")
    keep("private_chat_phone.png", phone_with_list, shoot(yan))

    # 韩雪 and 舒畅 talk. 唐嫣 writes to 韩雪 meanwhile, and 舒畅 looks away before the last message.
    xue.open("舒畅").say("舒畅，你好！")
    chang.open("韩雪").sees("舒畅，你好！", "韩雪")
    chang.say("你好，韩雪。今天讲连接池？")
    xue.sees("你好，韩雪。今天讲连接池？", "舒畅")
    xue.say("对，还有 WebSocket。\n两点，302 教室。")
    xue.sees("对，还有 WebSocket。\n两点，302 教室。", "我", "read")
    yan.page.go_back()
    yan.open("韩雪").say("老师好！")
    yan.say("我晚到五分钟。")
    expect(xue.person("唐嫣").locator(".unread")).to_have_text("2 new")
    chang.hide()
    xue.say("到时候见")
    xue.sees("到时候见", "我", "delivered")
    chang.sees("到时候见", "韩雪")
    expect(chang.person("韩雪").locator(".unread")).to_have_text("1 new")
    keep("private_chat.png", shoot(xue), shoot(chang))
