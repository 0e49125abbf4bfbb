"""The delay proxy: late, in order, complete, counted, and gone when its block ends."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from itertools import pairwise

import pymysql
import pytest

from course.ground.place import ROOT
from demos.instruments.delay_proxy import DelayProxy, _Line
from demos.pool_demo.settings import Settings, load
from tests.support.waiting import eventually, within

TRIP = 0.05

# What goes wrong in a thread of these tests is a failure, and not a line that nobody reads.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture
def echo():
    """The settings of a server that says hello, and then whatever it hears."""
    threads = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(connection):
            with connection, suppress(OSError):  # the other side may break off at any moment
                connection.sendall(b"hello")
                while data := connection.recv(65536):
                    connection.sendall(data)

        def accept():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
                threads[-1].start()

        threads.append(threading.Thread(target=accept, daemon=True))
        threads[0].start()
        yield Settings(port=server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            within(60, thread.join)


def dial(proxy):
    return closing(socket.create_connection((proxy.settings.host, proxy.settings.port), 60))


def read(connection, count):
    found = bytearray()
    while len(found) < count and (data := connection.recv(65536)):
        found += data
    return bytes(found)


def test_an_answer_takes_the_round_trip_or_more(echo):
    with DelayProxy(echo, TRIP) as proxy, dial(proxy) as connection:
        assert read(connection, 5) == b"hello"
        for message in (b"one", b"two"):
            began = time.monotonic()
            connection.sendall(message)
            assert read(connection, 3) == message
            assert time.monotonic() - began >= TRIP


def test_a_connect_takes_two_round_trips_until_the_server_is_heard(echo):
    with DelayProxy(echo, TRIP) as proxy:
        began = time.monotonic()
        with dial(proxy) as connection:
            assert read(connection, 5) == b"hello"
            assert time.monotonic() - began >= 2 * TRIP


def test_the_delay_can_change_while_a_connection_is_open(echo):
    with DelayProxy(echo) as proxy, dial(proxy) as connection:
        assert read(connection, 5) == b"hello"
        proxy.set_round_trip(TRIP)
        began = time.monotonic()
        connection.sendall(b"x")
        assert read(connection, 1) == b"x"
        assert time.monotonic() - began >= TRIP


def test_bytes_are_intact_and_many_may_be_under_way(echo):
    data = os.urandom(4_000_000)
    with DelayProxy(echo, TRIP) as proxy, dial(proxy) as connection:
        assert read(connection, 5) == b"hello"
        sender = threading.Thread(target=connection.sendall, args=(data,))
        sender.start()
        assert read(connection, len(data)) == data
        within(60, sender.join)


def test_who_breaks_off_in_the_middle_leaves_nothing_behind(echo):
    with DelayProxy(echo, TRIP) as proxy:
        for _ in range(3):
            with dial(proxy) as connection:
                assert read(connection, 5) == b"hello"
                connection.sendall(b"x" * 1_000_000)  # the answer to which nobody reads
        with dial(proxy) as connection:
            assert read(connection, 5) == b"hello"


def test_small_messages_arrive_in_order(echo):
    messages = b"".join(number.to_bytes(2, "big") for number in range(5000))
    with DelayProxy(echo, 0.002) as proxy, dial(proxy) as connection:
        assert read(connection, 5) == b"hello"
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for first in range(0, len(messages), 2):
            connection.sendall(messages[first : first + 2])
        assert read(connection, len(messages)) == messages


def test_short_answers_do_not_wait_for_one_another(echo):
    """Nagle's algorithm would keep the second until the client has confirmed the first."""

    async def options():
        line = _Line(echo, 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", await line.listen())
        assert await reader.readexactly(5) == b"hello"
        found = [
            end.transport.get_extra_info("socket").getsockopt(
                socket.IPPROTO_TCP, socket.TCP_NODELAY
            )
            for end in line.ends
        ]
        writer.close()
        await line.close()
        return found

    found = asyncio.run(options())
    assert len(found) == 2
    assert all(found)


def test_it_counts_a_wait_for_the_server_once(echo):
    with DelayProxy(echo) as proxy, dial(proxy) as connection:
        read(connection, 5)
        counts = [proxy.round_trips()]
        for size in (1, 2_000_000):
            sender = threading.Thread(target=connection.sendall, args=(b"x" * size,))
            sender.start()
            read(connection, size)
            within(60, sender.join)
            counts.append(proxy.round_trips())
    assert counts[0] == 2  # the TCP handshake and the greeting
    assert counts[1] == 3
    assert counts[2] > 3  # an echo of much answers more than once


def test_mysql_traffic_and_its_round_trips(book):
    with DelayProxy() as proxy:
        assert proxy.settings.host == "127.0.0.1"
        with pymysql.connect(**proxy.settings.connect_args(ssl_disabled=True)) as connection:
            counts = [proxy.round_trips()]
            with connection.cursor() as cursor:
                for _ in range(3):
                    cursor.execute("select name from student order by id")
                    assert cursor.fetchall() == (("韩雪",), ("舒畅",), ("唐嫣",))
                    counts.append(proxy.round_trips())
        assert [after - before for before, after in pairwise(counts)] == [1, 1, 1]
        assert proxy.round_trips() == counts[-1]  # nobody waits for an answer to a goodbye


def test_both_ends_learn_that_the_other_has_gone(witness, book):
    with DelayProxy(round_trip=0.01) as proxy:
        arguments = proxy.settings.connect_args(ssl_disabled=True)
        gone, killed = pymysql.connect(**arguments), pymysql.connect(**arguments)
        assert witness.settle(2) == 2
        gone.close()
        assert witness.settle(1) == 1
        witness.kill(killed.thread_id())
        with pytest.raises(pymysql.OperationalError):
            killed.ping(reconnect=False)


def test_without_a_server_a_client_is_hung_up_on():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = Settings(port=taken.getsockname()[1])
        with DelayProxy(nowhere) as proxy, pytest.raises(pymysql.OperationalError):
            pymysql.connect(**proxy.settings.connect_args())


def test_closing_ends_connections_and_process(echo):
    proxy = DelayProxy(echo)
    with dial(proxy) as connection:
        assert read(connection, 5) == b"hello"
        proxy.close()
        proxy.close()
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((proxy.settings.host, proxy.settings.port), 5)
    with pytest.raises(RuntimeError, match="closed"):
        proxy.round_trips()


def test_it_dies_with_its_parent(echo):
    program = (
        "import sys, time\n"
        "from demos.instruments.delay_proxy import DelayProxy\n"
        "from demos.pool_demo.settings import Settings\n"
        f"print(DelayProxy(Settings(port={echo.port})).settings.port, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8"
    )
    port = int(within(60, parent.stdout.readline))
    parent.send_signal(signal.SIGKILL)
    parent.wait(60)
    parent.stdout.close()

    def refused():
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:  # it was let in while the proxy ended
            return False
        return False

    assert eventually(refused)


def test_it_serves_by_hand_until_ctrl_c(book):
    command = [sys.executable, "-m", "demos.instruments.delay_proxy", "--round-trip", "2"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    try:
        line = within(60, process.stdout.readline)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, errors) == (130, "")
    assert "2 ms more a round trip" in line


def test_a_server_that_goes_away_breaks_and_refuses_until_it_comes_back(echo):
    with DelayProxy(echo) as proxy:
        with dial(proxy) as connection:
            assert read(connection, 5) == b"hello"
            assert len(proxy.ports()) == 1
            proxy.go_away()
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""
        assert proxy.ports() == set()
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                dial(proxy)
        proxy.go_away()  # twice changes nothing
        proxy.come_back()
        proxy.come_back()
        with dial(proxy) as connection:
            assert read(connection, 5) == b"hello"


def test_who_is_connecting_when_it_goes_away_is_refused_too(echo):
    with DelayProxy(echo, 1.0) as proxy, dial(proxy) as connection:
        proxy.go_away()
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        proxy.set_round_trip(0)
        proxy.come_back()
        with dial(proxy) as later:
            assert read(later, 5) == b"hello"


def test_its_ports_are_those_that_the_server_sees(book, witness):
    if load().uses_socket:
        pytest.skip("this server is reached by its socket, which has no ports")
    with DelayProxy() as proxy:
        with pymysql.connect(**proxy.settings.connect_args()) as connection:
            (seen,) = [one for one in witness.seen() if one.id == connection.thread_id()]
            assert proxy.ports() == {seen.port}
        assert eventually(lambda: proxy.ports() == set())
