"""The finished room keeps its promises: served by one process, and by two that share it through Redis.

Every test takes `doors`, two servers through which the same room is entered; with one process both are the same. The
room is one for all tests of this file, so each looks at names and messages of its own.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from websockets.exceptions import ConnectionClosed

from course.database.redis_server import RedisServer
from demos.group_chat.rules import names
from tests.group_chat import hostile
from tests.group_chat.rich import PATIENCE, RICH, Page, fresh, refusal
from tests.support.servers import Servers
from tests.support.tools import tool
from tests.support.waiting import eventually

FAST = ("--rate", "1000", "--people", "1000")  # tests speak faster than people, and come in crowds
NEWCOMER, KEPT = 50, 1000  # messages shown to a newcomer; messages kept for those who come back
MOVED, BAD_NAME, NAME_IN_USE = 4001, 4400, 4409

HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    '"}, {"type": "welcome", "name": "admin"}',
    "line one\nline two\r\n\x1b[31mred\x00",
    "\u202eright to left, \u2028 a line separator, \ufeff and no letter",
    "👩‍👧 𝒲𝒾𝒹ℯ 中文 e\u0301",
    "%s %n {0} ${x} `id` ' OR '1'='1",
]


@pytest.fixture(scope="module", params=["one process", "two processes"])
def doors(request, tmp_path_factory):
    """Two servers that lead into the same room."""
    servers = Servers(tmp_path_factory.mktemp("doors"), "group_chat")
    redis = None
    if request.param == "one process":
        doors = [servers.start("chat", *FAST)] * 2
    else:
        redis = RedisServer(tool("redis-server"))
        redis.start()
        doors = [servers.start("chat", *FAST, "--redis", redis.url) for _ in range(2)]
    yield doors
    servers.end()
    if redis:
        redis.stop()


# Who is here.


def test_joins_and_leaves_are_shown_live(doors):
    first = Page.join(doors[0], fresh())
    second = Page.join(doors[1], fresh())
    assert second.name in second.welcome["roster"]
    assert second.sees(first.name)
    joined = _presence_of(first, second.name)
    assert second.name in joined["joined"]
    assert joined["count"] == len(first.roster)
    second.close()
    left = _presence_of(first, second.name)
    assert second.name in left["left"]
    assert left["count"] == len(first.roster)


def _presence_of(page, name):
    while name not in {*(frame := page.next("presence"))["joined"], *frame["left"]}:
        pass
    return frame


def test_the_roster_holds_everybody_whatever_they_speak(doors):
    page = Page.join(doors[0], fresh())
    named, nameless = doors[1].ws(plain := fresh()), doors[0].ws("ql")
    nameless.send(json.dumps({"msg": "who am I?"}))
    guest = page.message()["username"]
    assert guest.startswith("游客")
    assert page.sees(plain, guest)
    named.close()
    nameless.close()
    assert page.sees(gone={plain, guest})


def test_nameless_visitors_have_names_of_their_own(doors):
    page = Page.join(doors[0], fresh())
    guests = [door.ws("ql") for door in doors]
    for guest in guests:
        guest.send(json.dumps({"msg": "who am I?"}))
    assert page.message()["username"] != page.message()["username"]


@pytest.mark.parametrize("turn", range(3))
def test_a_roster_is_right_for_who_joins_while_it_changes(doors, turn):
    """Joins and leaves are gathered for a moment; who joins in that moment must not hear half of the story."""
    first = Page.join(doors[0], fresh())
    reloaded = Page.join(doors[1], fresh("reloaded"))
    assert first.sees(reloaded.name)
    reloaded.close()
    newcomer = Page.join(doors[turn % 2], fresh("newcomer"))
    short = Page.join(doors[1], fresh("short"))
    another = Page.join(doors[turn % 2], fresh("another"))
    short.close()
    back = eventually(lambda: _joined(doors[1], reloaded.name))
    everybody = [first, newcomer, another, back]
    for page in everybody:
        assert page.sees(*(other.name for other in everybody), gone={short.name}), page.frames


def _joined(door, nickname):
    try:
        return Page.join(door, nickname)
    except ConnectionClosed:
        return None


# Nicknames.


@pytest.mark.parametrize(
    "twin",
    [str, str.upper, lambda name: name.replace("bob", "ｂｏｂ"), lambda name: f"{name}\u0323"],
    ids=["the same", "in capitals", "in wide letters", "with a dot below"],
)
def test_a_nickname_in_use_is_refused(doors, twin):
    holder = Page.join(doors[0], fresh("bob"))
    code, reason = refusal(doors[1], twin(holder.name))
    assert (code, reason) == (NAME_IN_USE, "This nickname is in use; choose another one.")
    assert refusal(doors[1], holder.name, token="guessed")[0] == NAME_IN_USE
    with doors[1].ws(holder.name) as plain, pytest.raises(ConnectionClosed) as closed:
        plain.recv(PATIENCE)
    assert closed.value.rcvd.code == NAME_IN_USE
    assert holder.say("I am still here")["id"]


@pytest.mark.parametrize(
    ("nickname", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("\u200d", "empty"),
        ("\u3164", "empty"),
        ("x" * 33, "32 characters"),
        ("名" * 33, "32 characters"),
        ("a\nb", "control characters"),
        ("a\x00", "control characters"),
        ("a\u202eb", "control characters"),
        ("a\u2066b", "control characters"),
        ("a\u200bb", "control characters"),
        ("a\u2028b", "control characters"),
        ("bob\ufe0f", "nobody sees"),
        (" a", "begin or end with a space"),
        ("a/b", "slash"),
        ("ws", "reserved"),
        ("WS", "reserved"),
        ("ｗｓ", "reserved"),
        ("chat", "reserved"),
        ("static", "reserved"),
        ("healthz", "reserved"),
        ("favicon.ico", "reserved"),
        ("服务器", "reserved"),
        ("我", "reserved"),
    ],
    ids=ascii,
)
def test_a_nickname_that_is_not_allowed_is_refused_with_a_reason(doors, nickname, reason):
    code, sentence = refusal(doors[0], nickname)
    assert code == BAD_NAME
    assert reason in sentence


def test_a_nickname_that_is_too_long_is_not_looked_at():
    """To compare 2,700 of these letters takes a third of a second, and everybody waits meanwhile."""
    before = names.key.cache_info().misses
    assert "at most 32" in names.problem("\ufdfa" * 2700, frozenset())
    assert names.key.cache_info().misses == before


@pytest.mark.parametrize(
    "nickname", ["x" * 32, "<img src=x onerror=alert(1)>", "a:b?c#d&e=f%2f", "👩‍👧"]
)
def test_any_other_nickname_passes_unchanged(doors, nickname):
    watcher = Page.join(doors[1], fresh())
    page = Page.join(doors[0], nickname)
    page.say("it is me")
    assert page.welcome["name"] == nickname
    assert watcher.message()["username"] == nickname
    assert watcher.sees(nickname)
    page.close()
    assert watcher.sees(gone={nickname})


def test_the_name_is_the_sockets_own_whatever_the_message_claims(doors):
    watcher, plain = Page.join(doors[0], fresh()), doors[1].ws(liar := fresh("liar"))
    claims = {"username": watcher.name, "id": "1-1", "time": "now", "type": "welcome", "token": "t"}
    plain.send(json.dumps(claims | {"msg": "I am you"}))
    rich = Page.join(doors[1], fresh("liar"))
    rich.socket.send(json.dumps(claims | {"msg": "I am you, too"}))
    first, second = watcher.message(), watcher.message()
    assert [first["username"], second["username"]] == [liar, rich.name]
    assert "1-1" not in (first["id"], second["id"])


# Messages.


def test_everybody_hears_the_same_order(doors):
    """The acknowledgements stand where the others hear the messages."""
    pages = [Page.join(door, fresh()) for door in [*doors, *doors]]
    count = 25
    for number in range(count):
        for page in pages:
            page.send(f"{number} of {page.name}")
    heard = [
        [page.next("message", "ack")["id"] for _ in range(count * len(pages))] for page in pages
    ]
    assert heard[0] == heard[1] == heard[2] == heard[3]
    assert len(set(heard[0])) == count * len(pages)


def test_what_is_said_again_is_acknowledged_in_its_place(doors):
    """Not before lines that the room has, but has not written yet: a page shows its line where it is acknowledged."""
    page = Page.join(doors[0], fresh())
    with hostile.Client(doors[0].url, f"/{fresh()}", Sec_WebSocket_Protocol=RICH) as client:
        words = [word for number in range(10) for word in [fresh(f"{number}")] * 2]
        said = [hostile.text(json.dumps({"msg": word, "client_id": word})) for word in words]
        client.send(*said)
        assert page.messages(10) == words[::2]
        acknowledged = []
        while len(acknowledged) < len(words):
            frame = json.loads(client.hear())
            acknowledged += [frame["client_id"]] if frame["type"] == "ack" else []
    assert acknowledged == words


@pytest.mark.parametrize("msg", HOSTILE, ids=ascii)
def test_a_message_passes_unchanged_in_every_format(doors, msg):
    rich, speaker = Page.join(doors[0], fresh()), Page.join(doors[1], fresh())
    named, nameless = doors[0].ws(plain := fresh()), doors[0].ws("ql")
    assert rich.sees(speaker.name, plain)
    nameless.send(json.dumps({"msg": "I am in"}))
    assert rich.message()["msg"] == "I am in"
    speaker.say(msg)
    assert rich.message()["msg"] == msg
    assert _plain(named, msg) == {"username": speaker.name, "msg": msg}
    assert _plain(nameless, msg) == {"msg": msg}


def _plain(socket, msg):
    """Read frames of a format of the source up to this message."""
    while (frame := json.loads(socket.recv(PATIENCE)))["msg"] != msg:
        pass
    return frame


def test_who_speaks_a_format_of_the_source_gets_no_other_frame(doors):
    speaker = Page.join(doors[0], fresh())
    speaker.say("before")
    named, nameless = doors[1].ws(fresh()), doors[0].ws("ql")
    assert speaker.sees(named.request.path.strip("/"))
    Page.join(doors[1], fresh()).close()  # a join and a leave
    nameless.send(json.dumps({"msg": "I am nameless"}))
    assert json.loads(named.recv(PATIENCE)).keys() == {"username", "msg"}  # no history, no presence
    named.send(json.dumps({"username": "?", "msg": "I have a name", "client_id": "c"}))
    assert json.loads(nameless.recv(PATIENCE)) == {"msg": "I have a name"}
    speaker.say("after")
    assert json.loads(named.recv(PATIENCE)) == {"username": speaker.name, "msg": "after"}  # no ack
    assert json.loads(nameless.recv(PATIENCE)) == {"msg": "after"}


def test_a_message_has_an_id_and_a_time(doors):
    speaker, listener = Page.join(doors[0], fresh()), Page.join(doors[1], fresh())
    ack = speaker.say("什么时候?", "mine-1")
    heard = listener.message()
    told = {key: heard[key] for key in ("id", "time", "client_id")}
    assert told == {key: ack[key] for key in told}
    assert heard["username"] == speaker.name
    age = datetime.now(UTC) - datetime.fromisoformat(heard["time"])
    assert timedelta(seconds=-1) < age < timedelta(seconds=60)
    assert heard["time"].endswith("Z")


def test_the_same_message_sent_twice_is_said_once(doors):
    speaker, listener = Page.join(doors[0], fresh()), Page.join(doors[1], fresh())
    first = speaker.say("once", "twice-1")
    assert speaker.say("once", "twice-1") == first
    back = speaker.again(doors[1])
    assert back.say("once", "twice-1") == first
    back.say("the end")
    assert listener.messages(2) == ["once", "the end"]


def test_an_id_that_another_message_has_is_refused(doors):
    """Acknowledged means said: the room of each process knows what the others have heard."""
    speaker, listener = Page.join(doors[0], fresh()), Page.join(doors[1], fresh())
    first = speaker.say("this", "same")
    assert listener.message()["msg"] == "this"
    for come_back in (False, True):
        page = speaker.again(doors[1]) if come_back else speaker
        page.send("something else", "same")
        refused = page.next("error")
        assert (refused["code"], refused["client_id"]) == ("id_taken", "same")
        assert page.say("this", "same") == first
        page.say("and on")
    assert listener.messages(2) == ["and on"] * 2


def test_a_client_id_belongs_to_its_user(doors):
    listener = Page.join(doors[0], fresh())
    first = Page.join(doors[0], fresh("a"))
    second, third = Page.join(doors[1], f"{first.name}:x"), Page.join(doors[1], fresh())
    for speaker, client_id in [(first, "x:y"), (second, "y"), (third, "x:y")]:
        speaker.say(f"by {speaker.name}", client_id)
    assert listener.messages(3) == [f"by {page.name}" for page in (first, second, third)]


# Newcomers, and those who come back.


def test_a_newcomer_sees_the_last_messages(doors):
    speaker = Page.join(doors[0], fresh())
    acks = [speaker.say(f"message {number}") for number in range(NEWCOMER + 5)]
    newcomer = Page.join(doors[1], fresh(), since=acks[-1]["id"])  # so that it is not too early
    newcomer = Page.join(doors[1], fresh())
    shown = newcomer.frames[1:]  # nothing comes between the welcome and its messages
    assert [frame["id"] for frame in shown] == [ack["id"] for ack in acks[-NEWCOMER:]]
    assert [frame["time"] for frame in shown] == [ack["time"] for ack in acks[-NEWCOMER:]]
    assert newcomer.welcome["missed"] == 0


def test_who_comes_back_hears_what_it_missed(doors):
    speaker, reader = Page.join(doors[0], fresh()), Page.join(doors[1], fresh())
    speaker.say("heard")
    reader.message()
    reader.close()
    missed = [speaker.say(f"missed {number}")["id"] for number in range(NEWCOMER + 20)]
    back = reader.again(doors[0])
    assert [frame["id"] for frame in back.replay] == missed
    assert back.welcome["missed"] == 0
    nothing = back.again(doors[1])
    assert nothing.replay == []


def test_who_was_away_too_long_is_told_how_much_is_lost(doors):
    speaker, reader = Page.join(doors[0], fresh()), Page.join(doors[1], fresh())
    neighbour = Page.join(doors[1], fresh())
    speaker.say("heard")
    reader.message()
    reader.close()
    for number in range(KEPT + 7):
        speaker.send(f"missed {number}")
    last = [speaker.next("ack") for _ in range(KEPT + 7)][-1]
    while neighbour.message()["id"] != last["id"]:  # what is acknowledged is on its way there
        pass
    back = reader.again(doors[1])
    assert back.replay[-1]["id"] == last["id"]
    assert len(back.replay) == KEPT
    assert back.welcome["missed"] == 7


@pytest.mark.parametrize(
    "since", ["?", "-", "x-1", "{}-{}", "{epoch}-", "{epoch}-{nines}", "\x00", "{epoch}-²"]
)
def test_an_id_that_was_never_given_does_no_harm(doors, since):
    epoch = Page.join(doors[0], fresh()).say("hello")["id"].rpartition("-")[0]
    made_up = since.replace("{epoch}", epoch).replace("{nines}", "9" * 5000)
    page = Page.join(doors[0], fresh(), since=made_up)
    assert page.welcome["missed"] == 0
    assert page.say("I am here")["id"]


def test_coming_back_thirty_times_during_a_flood_neither_loses_nor_repeats(doors):
    reader, over = Page.join(doors[0], fresh("reader")), Event()

    def speak(page):
        said = []
        while not over.is_set():
            if said and number(said[-1]) - number(reader.since) > KEPT // 2:
                over.wait(0.01)  # whatever holds the reader up: the history still has all of it
            else:
                said.append(page.say(f"{len(said)} of {page.name}")["id"])
        return said

    def number(id):
        return int(id.rpartition("-")[2] or 0)

    with ThreadPoolExecutor(2) as pool:
        speakers = [Page.join(door, fresh("speaker")) for door in doors]
        flood = [pool.submit(speak, page) for page in speakers]
        heard = []
        try:
            for turn in range(30):
                heard += [reader.message()["id"] for _ in range(turn % 4)]
                if turn % 3:
                    reader.close()  # otherwise the old connection is taken over
                reader = reader.again(doors[turn % 2])
                heard += [frame["id"] for frame in reader.replay]
        finally:
            over.set()  # or the speakers would speak for ever
        said = {id for future in flood for id in future.result(60)}
    end = speakers[0].say("the end")["id"]
    while not heard or heard[-1] != end:
        heard.append(reader.message()["id"])
    assert heard == sorted(heard, key=number), "not in order"
    assert len(heard) == len(set(heard)), "something came twice"
    assert set(heard) - {end} == said


# Taking a name over.


def test_a_page_takes_its_name_back_from_its_dead_connection(doors):
    watcher, dead = Page.join(doors[0], fresh()), Page.join(doors[0], fresh())
    assert watcher.sees(dead.name)
    before = len(watcher.frames)
    back = dead.again(doors[1])
    code, reason = dead.ended()
    assert (code, reason) == (MOVED, "this nickname is connected elsewhere")
    assert back.name == dead.name
    assert back.say("I am back")["id"]
    assert refusal(doors[0], dead.name)[0] == NAME_IN_USE
    fence = Page.join(doors[1], fresh())
    assert watcher.sees(fence.name)
    since_then = watcher.frames[before:]
    changes = [frame for frame in since_then if frame["type"] == "presence"]
    assert not any(dead.name in frame["joined"] + frame["left"] for frame in changes)
    back.close()
    assert watcher.sees(gone={dead.name})


def test_a_name_may_change_its_letters_when_it_is_taken_back(doors):
    watcher, old = Page.join(doors[0], fresh()), Page.join(doors[0], fresh("bob"))
    assert watcher.sees(old.name)
    new = Page.join(doors[1], old.name.upper(), token=old.token)
    assert watcher.sees(new.name, gone={old.name})
    new.close()
    assert watcher.sees(gone={new.name})
