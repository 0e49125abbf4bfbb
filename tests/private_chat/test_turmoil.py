"""The tool of test_nothing_is_lost: a writer ends, also if its connection swallows the cancellation."""

import asyncio
from types import SimpleNamespace

from tests.private_chat.turmoil import Writer, end


class Broken(Writer):
    """Its connection breaks whenever it is cancelled, and the error takes the cancellation's place."""

    tries = 0

    async def _converse(self, door):
        self.tries += 1
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise ConnectionResetError("in the same moment") from None


def test_a_writer_that_swallows_its_cancellation_ends():
    async def play():
        writer = Broken(SimpleNamespace(name="Ann"), [], 0, seed=1)
        running = [asyncio.create_task(writer.run([SimpleNamespace(url="")]))]
        await asyncio.sleep(0)
        await end([writer], running)
        return writer.tries

    assert asyncio.run(play()) == 1
