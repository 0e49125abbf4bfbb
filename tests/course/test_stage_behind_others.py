"""The stage behind a proxy of somebody else's, such as that of Codespaces or of a JupyterHub (Binder): a real nginx."""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from course.database import keeper
from course.ground import place, tether
from tests.support.nginx import BINDER, THERE, Tunnel
from tests.support.waiting import eventually

STEP = "group_chat/step3_nameless_room"


@contextmanager
def stage(folder, surroundings):
    """The stage's server alone; nothing here needs its database."""
    server = tether.start(
        [sys.executable, "-m", "course.stage", str(keeper.free_port())],
        cwd=place.ROOT,
        env={**os.environ, **surroundings, "COURSE_STATE_DIR": str(folder)},
        stdout=subprocess.PIPE,
    )
    try:
        said = server.stdout.readline().decode()
        port = re.search(r":(\d+)/|-(\d+)\.app", said)
        port, key = port[1] or port[2], said.partition("key=")[2].strip()
        yield SimpleNamespace(url=f"http://127.0.0.1:{port}", port=port, key=key, said=said)
    finally:
        tether.end(server, 30)
        server.stdout.close()


@pytest.mark.parametrize(("surroundings", "kind"), THERE.values(), ids=THERE)
def test_its_page_runs_a_step_there(nginx, tmp_path, surroundings, kind):
    with stage(tmp_path, surroundings) as server:
        at_hub = surroundings is BINDER
        name = "hub.example.org" if at_hub else f"fuzzy-space-{server.port}.app.github.dev"
        prefix = f"user/ann/proxy/{server.port}/" if at_hub else ""
        if not at_hub:
            assert server.said == f"Open https://{name}/?key={server.key}\n"
        with Tunnel(nginx, tmp_path, server, kind, name, prefix) as proxy:
            assert proxy.get("/").status == 403
            entered = proxy.get(f"/?key={server.key}")
            assert entered.headers["Location"] == "."
            me = {"Cookie": entered.headers["Set-Cookie"].partition(";")[0]}
            token = re.search(r'data-token="([\w-]+)"', proxy.get("/", **me).body)[1]
            me |= {"X_Stage_Token": token, "Content_Type": "application/json"}
            asked = json.dumps({"step": STEP, "clients": 1})
            for foreign in ("https://evil.example", "https://evil-8700.app.github.dev"):
                assert proxy.get("/runs", "POST", asked, Origin=foreign, **me).status == 403
            run = proxy.get("/runs", "POST", asked, Origin=proxy.origin, **me)
            assert run.status == 201, run.body
            number = json.loads(run.body)["run"]

            def client():
                asked = proxy.get(
                    f"/runs/{number}/clients", "POST", '{"clients": 1}', Origin=proxy.origin, **me
                )
                return (
                    json.loads(asked.body)["clients"][0]["url"]
                    if json.loads(asked.body)["clients"]
                    else ""
                )

            url = eventually(client, seconds=60)
            shown = (
                r"\.\./\d+/chat" if at_hub else r"https://fuzzy-space-\d+\.app\.github\.dev/chat"
            )
            assert re.fullmatch(shown, url), url
            assert (
                proxy.get(f"/runs/{number}/stop", "POST", "{}", Origin=proxy.origin, **me).status
                == 200
            )
