import re, pytest
from playwright.sync_api import expect
from tests.private_chat.test_pages import AWAY, login, friends, five

@pytest.mark.parametrize("n", range(30))
def test_marks(five, login, n):
    ann, bob = friends(five, "甲", "乙")
    friend = bob
    ann = login(ann).open(bob.name)
    ann.say("one")
    ann.sees("one", "我", "sent 已发送")
    bob = login(friend)
    log = []
    bob.page.on("response", lambda r: log.append((r.url[-40:], r.status)))
    ann.sees("one", "我", "delivered 已送达")
    bob.hide()
    bob.open(ann.name).sees("one", ann.name)
    ann.say("two")
    ann.sees("two", "我", "delivered 已送达")
    ann.sees("one", "我", "delivered 已送达")
    try:
        expect(bob.page).to_have_title(re.compile(r"^\(2\) "), timeout=3000)
    except AssertionError:
        print("TITLE", bob.page.title(), log)
        print(bob.page.evaluate("JSON.stringify([...talks.values()].map(t => ({...t, row: null, messages: t.messages.map(m => [m.id, m.msg, m.read, m.delivered])})))"), bob.page.evaluate("[asked, answered, following, since, document.hidden]"), bob.sockets, bob.state.inner_text())
        raise
