"""The room behind a proxy of somebody else's, such as that of Codespaces or of a JupyterHub (Binder).

A real nginx rewrites the headers as those do. Without the setting the room is as strict as on a laptop.
"""

import pytest
from websockets.exceptions import InvalidStatus

from tests.group_chat.rich import Page, fresh
from tests.support.nginx import BINDER, CODESPACES, HUB, THERE, Tunnel


@pytest.fixture(scope="module")
def at(shared):
    """Return the room as it runs there."""
    rooms = {}

    def room(surroundings):
        name = "codespaces" if surroundings is CODESPACES else "binder"
        rooms.setdefault(
            name,
            shared("chat", "--heartbeat", "25" if name == "binder" else "26", env=surroundings),
        )
        return rooms[name]

    return room


def name_of(server, surroundings):
    port = server.url.rpartition(":")[2]
    return f"fuzzy-space-{port}.app.github.dev" if surroundings is CODESPACES else "hub.example.org"


@pytest.mark.parametrize(("surroundings", "kind"), THERE.values(), ids=THERE)
def test_its_page_and_its_socket_work_there(nginx, tmp_path, at, surroundings, kind):
    server = at(surroundings)
    name = name_of(server, surroundings)
    prefix = "user/ann/proxy/5000/" if surroundings is BINDER else ""
    with Tunnel(nginx, tmp_path, server, kind, name, prefix) as proxy:
        assert proxy.get("/ws").status == 200
        first, second = [Page.join(proxy, fresh(), origin=proxy.origin) for _ in range(2)]
        first.say(text := fresh("hello"))
        assert second.message()["msg"] == text
        for foreign in ("https://evil.example", "https://evil-5000.app.github.dev", "null"):
            with pytest.raises(InvalidStatus) as refused:
                Page(proxy, fresh(), origin=foreign)
            assert refused.value.response.status_code == 403


def test_without_the_setting_a_strangers_name_is_refused(nginx, tmp_path, shared):
    with Tunnel(nginx, tmp_path, shared("chat"), HUB, "hub.example.org") as proxy:
        assert proxy.get("/ws").status == 421


def test_a_codespace_takes_its_own_name_only(nginx, tmp_path, at):
    with Tunnel(nginx, tmp_path, at(CODESPACES), HUB, "hub.example.org") as proxy:
        assert proxy.get("/ws").status == 421
