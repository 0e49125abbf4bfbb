"""The page of step 8 behind a proxy of somebody else's, such as that of Codespaces or of a JupyterHub: a real nginx."""

import pytest

from tests.support.nginx import BINDER, THERE, Tunnel


@pytest.mark.parametrize(("surroundings", "kind"), THERE.values(), ids=THERE)
def test_its_buttons_work_there(nginx, tmp_path, start, book, surroundings, kind):
    step = start("step8_see_the_pool", env=surroundings)
    port = step.url.rpartition(":")[2]
    name = "hub.example.org" if surroundings is BINDER else f"fuzzy-space-{port}.app.github.dev"
    with Tunnel(nginx, tmp_path, step, kind, name) as proxy:
        assert proxy.get("/").status == 200
        assert proxy.get("/stop", "POST", "{}", Origin=proxy.origin).status == 200
        for foreign in ("https://evil.example", "https://evil-5000.app.github.dev"):
            assert proxy.get("/stop", "POST", "{}", Origin=foreign).status == 403
