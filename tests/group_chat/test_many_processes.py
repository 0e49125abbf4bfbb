"""One room in several processes, when a process or Redis dies, hangs, or comes back with less than it had."""

import asyncio
import json
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest
import redis
from websockets.exceptions import ConnectionClosed

from course.database.redis_server import RedisServer
from tests.group_chat.endings import endings_of_main
from tests.group_chat.rich import PATIENCE, Page, crowd, fresh, refusal
from tests.support.pages import stopped
from tests.support.servers import Servers
from tests.support.tools import tool
from tests.support.waiting import eventually

FAST = ("--rate", "1000", "--people", "1000")  # tests speak faster than people, and come in crowds
LIFE = ("--heartbeat", "3")  # a process that is silent for so long counts as dead
MOVED, NAME_IN_USE = 4001, 4409
APART = "Other processes cannot be reached; you hear only those who are here."
TOGETHER = "Other processes can be reached again."


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A Redis, and two processes that serve one room."""
    store = RedisServer(tool("redis-server"))
    store.start()
    servers = Servers(tmp_path_factory.mktemp("doors"), "group_chat")
    yield store, [servers.start("chat", *FAST, "--redis", store.url) for _ in range(2)]
    servers.end()
    store.stop()


@pytest.fixture
def store(room):
    """The Redis of `doors`, running; a test may kill and halt it."""
    store, _ = room
    if store.process.poll() is None:
        store.process.send_signal(signal.SIGCONT)
    else:
        store.start()
    return store


@pytest.fixture
def doors(room, store):
    """The two processes, when they are one room again, whatever an earlier test did to Redis."""
    _, doors = room
    assert eventually(lambda: _are_one(doors), seconds=60)
    return doors


def _are_one(doors):
    speaker, listener = (Page.join(door, fresh("probe")) for door in doors)
    heard = False
    with suppress(TimeoutError), speaker.socket, listener.socket:
        speaker.send("are you there?", fresh())
        heard = bool(listener.message(seconds=2)) and bool(speaker.next("ack", seconds=2)["id"])
    return heard


def client_of(store):
    """Connect to Redis itself."""
    return redis.Redis.from_url(store.url, socket_timeout=20)


def apart(*pages):
    """Wait until the pages are told that their process is alone."""
    for page in pages:
        status = page.next("status")
        assert (status["shared"], status["reason"]) == (False, APART)


def together(*pages):
    """Wait until the pages are told that all processes are one room again."""
    for page in pages:
        status = page.next("status")
        assert (status["shared"], status["reason"]) == (True, TOGETHER)


def texts(page):
    """What the page has heard since it joined."""
    heard = [frame["msg"] for frame in page.frames if frame["type"] == "message"]
    return heard[len(page.replay) :]


def hears(page, *words):
    """Let the page hear messages until these were among them; returns all of them, sorted."""
    while {*words} - {*texts(page)}:
        page.message()
    return sorted(texts(page))


def restart(store, doors, *lines):
    """Give the room an empty Redis with more lines of configuration."""
    pages = pages_of(doors, "page")
    store.stop()
    apart(*pages)
    store.start(*lines)
    together(*pages)


def pages_of(doors, word):
    return [Page.join(door, fresh(word)) for door in doors]


# A process dies, ends, starts.


def test_a_killed_process_takes_its_names_with_it_but_no_acknowledged_message(start, doors, store):
    """Pages that were on it go to another one, and send again what was not acknowledged."""
    doors = [doors[0], start("chat", *FAST, *LIFE, "--redis", store.url)]
    watcher = Page.join(doors[0], fresh("watcher"))
    doors[1].ws(lost := fresh("lost"))  # speaks a format of the source, and does not come back
    under_way = Event()

    def speak(number):
        page, acks = Page.join(doors[1], fresh("speaker")), {}
        for count in range(60):
            client_id = f"{number}-{count}"
            if count == 20:
                under_way.set()
            while client_id not in acks:
                try:
                    acks[client_id] = page.say(client_id, client_id)["id"]
                except ConnectionClosed:
                    page = page.again(doors[0])
        return acks

    with ThreadPoolExecutor(4) as pool:
        speakers = [pool.submit(speak, number) for number in range(4)]
        assert under_way.wait(60)
        doors[1].kill()
        acks = {}
        for speaker in speakers:
            acks |= speaker.result(60)
    heard = [watcher.message() for _ in acks]
    assert {frame["client_id"]: frame["id"] for frame in heard} == acks
    epoch, _, first = heard[0]["id"].rpartition("-")
    newcomer = Page.join(doors[0], fresh(), since=f"{epoch}-{int(first) - 1}")
    assert {frame["client_id"]: frame["id"] for frame in newcomer.replay} == acks
    assert watcher.sees(gone={lost})
    assert Page.join(doors[0], lost).say("my name was free again")["id"]


def test_processes_come_and_go_and_the_room_stays(start, doors, store):
    first, second = start("chat", *FAST, "--redis", store.url), doors[0]
    speaker, watcher = Page.join(first, fresh("speaker")), Page.join(second, fresh("watcher"))
    said = [speaker.say(f"message {number}")["id"] for number in range(60)]
    first.ws(plain := fresh("plain"))
    assert watcher.sees(speaker.name, plain)
    assert first.stop() == 0
    assert watcher.sees(gone={speaker.name, plain})
    third = start("chat", *FAST, "--redis", store.url)
    newcomer = Page.join(third, fresh("newcomer"))
    assert [frame["id"] for frame in newcomer.replay] == said[-50:]
    assert newcomer.sees(watcher.name)
    assert speaker.again(third).welcome["missed"] == 0


def test_a_process_that_stood_still_gives_up_the_names_that_others_took(doors, store):
    watcher, kept, lost = (Page.join(door, fresh()) for door in (doors[0], doors[1], doors[1]))
    assert watcher.sees(kept.name, lost.name)
    with stopped(doors[1]), client_of(store) as client:
        for key in client.scan_iter("course:group_chat:process:*"):
            client.delete(key)  # as if it had stood still for longer
        assert watcher.sees(gone={kept.name, lost.name})
        heir = Page.join(doors[0], lost.name)
    assert lost.ended() == (NAME_IN_USE, "This nickname is in use; choose another one.")
    assert watcher.sees(kept.name, heir.name)
    assert kept.say("I am still here")["id"]
    assert heir.say("me too")["id"]


def test_a_crowd_comes_in_through_all_doors_at_once(doors):
    names = [fresh() for _ in range(200)]
    watcher = Page.join(doors[0], fresh("watcher"))
    before = [door.log.count("redis_lost") for door in doors]

    async def come_and_go():
        async with crowd(doors, names, at_once=len(names)):
            # In a thread: the crowd has to answer pings meanwhile.
            assert await asyncio.to_thread(watcher.sees, *names, seconds=60)

    asyncio.run(come_and_go())
    assert watcher.sees(gone=names, seconds=60)
    assert [door.log.count("redis_lost") for door in doors] == before


# Redis dies and comes back.


@pytest.mark.parametrize("keeps", [False, True], ids=["empty", "with its data"])
def test_the_room_goes_on_without_redis_and_is_whole_again_afterwards(
    doors, store, tmp_path, keeps
):
    lines = ["appendonly yes", f"dir {tmp_path}"] if keeps else []
    if keeps:
        restart(store, doors, *lines)
    pages, readers = pages_of(doors, "page"), pages_of(doors, "reader")
    before = fresh("before")
    pages[0].say(before)
    for page in (pages[1], *readers):
        assert page.message()["msg"] == before

    store.kill()
    apart(*pages, *readers)
    alone = [fresh("alone") for _ in pages]
    for page, text in zip(pages, alone, strict=True):
        page.send(text, text)
    assert [page.message()["msg"] for page in readers] == alone
    late = Page.join(doors[0], fresh("late"))  # sees what the others saw, and hears why it is alone
    assert late.message()["msg"] == alone[0]
    apart(late)
    assert refusal(doors[0], late.name)[0] == NAME_IN_USE

    store.start(*lines)
    together(*pages, *readers, late)
    for page, text in zip(pages, alone, strict=True):
        ack = page.next("ack")
        assert ack["client_id"] == text
        assert ack["id"]
    after = [fresh("after") for _ in doors]
    speakers = pages_of(doors, "speaker")
    for page, text in zip(speakers, after, strict=True):
        page.say(text)
    for reader in readers:
        assert hears(reader, *after) == sorted([before, *alone, *after])
    assert hears(late, *after) == sorted([*alone, *after])
    everybody = {page.name for page in (*pages, *readers, *speakers, late)}
    for page in (*readers, late):
        assert page.sees(*everybody)
    assert refusal(doors[1], late.name)[0] == refusal(doors[0], pages[1].name)[0] == NAME_IN_USE
    history = [frame["msg"] for frame in Page.join(doors[1], fresh()).replay]
    assert sorted(history[-5:]) == sorted([*([before] if keeps else []), *alone, *after])


def test_clients_of_the_sources_formats_are_told_in_their_own_words(doors, store):
    named, nameless = doors[0].ws(name := fresh()), doors[0].ws("ql")
    assert Page.join(doors[0], fresh()).sees(name)
    nameless.send(json.dumps({"msg": "I am in"}))
    assert json.loads(named.recv(PATIENCE))["msg"] == "I am in"
    for act, sentence in [(store.kill, APART), (store.start, TOGETHER)]:
        act()
        assert json.loads(named.recv(PATIENCE)) == {"username": "服务器", "msg": sentence}
        assert json.loads(nameless.recv(PATIENCE)) == {"msg": f"服务器: {sentence}"}


def test_a_redis_that_was_put_back_to_an_older_state_loses_nothing_new(doors, store, tmp_path):
    """It gives numbers a second time that pages have seen already."""
    lines = [f"dir {tmp_path}"]
    restart(store, doors, *lines)
    speaker, reader = pages_of(doors, "page")
    speaker.say("kept")
    with client_of(store) as client:
        client.save()
    for number in range(5):
        speaker.say(f"forgotten {number}")
    reader.messages(6)
    store.kill()
    apart(speaker, reader)
    store.start(*lines)
    together(speaker, reader)
    ids = [speaker.say(f"new {number}")["id"] for number in range(3)]
    assert [reader.message()["id"] for _ in ids] == ids
    assert texts(reader)[-3:] == ["new 0", "new 1", "new 2"]
    reader.close()
    missed = speaker.say("missed")["id"]
    assert [frame["id"] for frame in reader.again(doors[0]).replay] == [missed]


def test_a_redis_that_is_emptied_while_it_runs_is_filled_again(doors, store):
    speakers, readers = pages_of(doors, "speaker"), pages_of(doors, "reader")
    speakers[0].say("before")
    with client_of(store) as client:
        client.flushall()
    for page in speakers:
        page.send("said meanwhile")
    apart(*readers)
    together(*readers)
    for number, page in enumerate(speakers):
        assert page.next("ack")["id"]
        page.say(f"after {number}")
        assert {refusal(door, page.name)[0] for door in doors} == {NAME_IN_USE}
    for reader in readers:
        said = ["after 0", "after 1", "before", "said meanwhile", "said meanwhile"]
        assert hears(reader, "after 0", "after 1") == said
        assert reader.sees(*(page.name for page in (*speakers, *readers)))


def test_a_redis_that_hangs_stops_nobody(doors, store):
    """When it goes on, it does what it was asked to do, which has been done otherwise meanwhile."""
    speakers, readers = pages_of(doors, "speaker"), pages_of(doors, "reader")
    leaver = Page.join(doors[0], fresh("leaver"))
    assert readers[1].sees(leaver.name)
    store.process.send_signal(signal.SIGSTOP)
    alone = [fresh("alone") for _ in doors]
    for page, text in zip(speakers, alone, strict=True):
        page.send(text, text)
    short = Page(doors[0], fresh("short"))  # comes in before anybody knows that Redis hangs
    apart(*speakers, *readers)
    assert [page.message()["msg"] for page in readers] == alone
    assert short.next("welcome")
    short.close()
    leaver.close()
    assert readers[0].sees(gone={leaver.name, short.name})
    twice = fresh("twice")
    speakers[0].send(twice, twice)
    assert readers[0].message()["msg"] == twice
    speakers[0].send(twice, twice)
    speakers[0] = speakers[0].again(doors[0])  # and the answer shall come to the new connection
    speakers[0].send(twice, twice)

    store.process.send_signal(signal.SIGCONT)
    together(*readers)
    assert [page.next("ack")["client_id"] for page in speakers] == [twice, alone[1]]
    free = []
    for name in (leaver.name, short.name):
        free.append(fresh("free"))
        Page.join(doors[1], name).say(free[-1])
    for reader in readers:
        assert hears(reader, *free) == sorted([*alone, twice, *free])


def test_a_name_that_two_people_took_while_apart_stays_with_one(doors, store):
    watchers, name = pages_of(doors, "watcher"), fresh("twin")
    store.kill()
    apart(*watchers)
    twins = [Page.join(door, name) for door in doors]
    store.start()
    together(*watchers)
    lost = eventually(lambda: [page for page in twins if _is_closed(page)])
    assert len(lost) == 1
    assert lost[0].ended() == (NAME_IN_USE, "This nickname is in use; choose another one.")
    twins.remove(lost[0])
    assert twins[0].say("the name is mine")["id"]
    for watcher in watchers:
        assert watcher.sees(name)
        assert hears(watcher, "the name is mine")


def _is_closed(page):
    with suppress(TimeoutError):
        try:
            page.next(seconds=0.05)
        except ConnectionClosed:
            return True
    return False


def test_a_page_that_changed_processes_meanwhile_keeps_its_name(doors, store):
    """Its old connection is dead, but that process does not know; both claim the name when Redis is back."""
    watchers, movers = pages_of(doors, "watcher"), pages_of(doors, "mover")
    store.kill()
    apart(*watchers)
    moved = [page.again(door) for page, door in zip(movers, reversed(doors), strict=True)]
    store.start()
    together(*watchers)
    for old, new in zip(movers, moved, strict=True):
        assert old.ended()[0] == MOVED
        assert new.say(f"{new.name} is here")["id"]
        assert {refusal(door, new.name)[0] for door in doors} == {NAME_IN_USE}


class Wire:
    """Stands between the room and Redis. The first answer to who says `words` is lost, with its connection."""

    def __init__(self, url, words):
        self.cut = Event()
        self._words = words.encode()
        self._port = urlsplit(url).port
        self._was_heard = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = url.replace(f":{self._port}", f":{self._listener.getsockname()[1]}")
        Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                room, _ = self._listener.accept()
                store = socket.create_connection(("127.0.0.1", self._port))
                lost = Event()
                Thread(target=self._ask, args=(room, store, lost), daemon=True).start()
                Thread(target=self._answer, args=(store, room, lost), daemon=True).start()

    def _ask(self, room, store, lost):
        with suppress(OSError), store:
            while data := room.recv(65536):
                if self._words in data and not self.cut.is_set():
                    self.cut.set()
                    lost.set()
                store.sendall(data)

    def _answer(self, store, room, lost):
        with suppress(OSError), room:
            while data := store.recv(65536):
                if lost.is_set():
                    self._was_heard.wait(20)  # the stream is first
                    room.shutdown(socket.SHUT_RDWR)
                    return
                room.sendall(data)
                if self._words in data:
                    self._was_heard.set()


def test_an_answer_that_is_lost_does_not_double_the_message(start, doors, store):
    wire = Wire(store.url, "the last words")
    doors = [start("chat", *FAST, "--redis", wire.url), doors[1]]
    speaker, plain = Page.join(doors[0], fresh("speaker")), doors[0].ws(name := fresh("plain"))
    readers = pages_of(doors, "reader")
    assert readers[0].sees(name)
    plain.send(json.dumps({"msg": "the last words"}))
    apart(speaker)
    together(speaker)
    assert wire.cut.is_set()
    assert speaker.say("the end")["id"]
    for reader in readers:
        assert hears(reader, "the end") == ["the end", "the last words"]
    wire.close()


def test_a_redis_that_cannot_be_used_is_named_in_one_sentence(store):
    urls = [
        "nonsense",
        "redis://127.0.0.1:port/0",
        "redis://:s3cret@127.0.0.1:1/0",  # nobody listens there
        f"redis://:s3cret@127.0.0.1:{store.port}/0",  # it has another password
    ]
    for url, (sentence, said) in zip(
        urls, endings_of_main(*(["--redis", url] for url in urls)), strict=True
    ):
        assert sentence.startswith("No Redis can be used there ("), url
        assert "\n" not in sentence
        assert "s3cret" not in sentence
        assert said == ""
