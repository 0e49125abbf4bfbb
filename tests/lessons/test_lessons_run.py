"""Every lesson, executed as a student does, and what each must really show."""

import socket
import warnings

import pymysql
import pytest
from pymysql.cursors import DictCursor

from course.notebooks import execution
from demos.instruments.witness import Witness
from demos.pool_demo.settings import connect_args, load

from . import runs
from .conftest import LESSONS

STUDENTS = [
    {"id": 1, "name": "韩雪", "age": 24, "gender": "女"},
    {"id": 2, "name": "舒畅", "age": 23, "gender": "女"},
    {"id": 3, "name": "唐嫣", "age": 25, "gender": "女"},
]
THREE_ROWS = "".join(f"{row}\n" for row in STUDENTS)
PINGS = """\
| 0 | dead | dead | new | answer | error |
| 1 | new | new | new | answer | answer |
| 2 | dead | new | new | answer | error |
| 4 | dead | dead | new | answer | error |
| 7 | new | new | new | answer | answer |"""

# What the cells of a lesson must print, by the cell's id: whatever is kept in the notebook, so that a wrong
# output is not kept, and on servers whose outputs are not compared.
FACTS = {
    "00_check_setup": {
        "check-seed": ["ok      3 students: 韩雪, 舒畅, 唐嫣\n"],
        "messenger-start": ["韩雪: http://127.0.0.1:…/login\n舒畅: http://localhost:…/login\n"],
    },
    "01_recap_flask": {
        "client-stranger": ["302 FOUND, go to /login\n/nothing             302"],
        "routing-run": ["/index/two           404", "/index/1             308"],
        "reverse-fails": ["overwriting an existing endpoint function: inner"],
        "secret-fails": ["no secret key was set"],
        "secret-forged": ["302 FOUND, go to /login"],
        "missing-run": ["200 OK\n/nothing             404"],
        "first-fails": ["'Flask' object has no attribute 'before_first_request'"],
        "first-run": ["with_a_flag  prepared more than once", "at_creation  prepared once, before"],
        "flash-run": ["['Please say who you are.']\n/read/error []\n/read/info []"],
    },
    "02_connect_raw_pymysql": {
        "commit-run": ["others see    ['小甜甜']\nafter close() ['小甜甜']\n"],
        "snapshot-run": [
            "reader still sees:       ['小甜甜']\n",
            "its commit: ['小甜甜', '赵丽颖']",
        ],
        "snapshot-levels": ["(1, 1)\nread committed   (0, 1)\nrepeatable read  (0, 0)\n"],
        "percent-obrien": ["value ('O'Brien','22')", "ProgrammingError: (1064"],
        "percent-mallory": ["in the table: ['Eve', 'Mallory']"],
        "parameters-run": [r"values('O\'Brien', 22)", "typed: True"],
        "utf8-fails": ["(1366"],
        "cost-count": ["3 connections made, 0 left"],
    },
    "03_share_a_pool": {
        "dbutils-requires": ["needed: []"],
        "borrow-inside-run": ["in the first: True in the second: False", "idle again: True"],
        "leftovers-snapshot-ages": ["24, the next one 25", "24, the next one 24"],
        "pool-import": ["2 connections opened by the import"],
        "borrow-run": [THREE_ROWS],
        "exhausted-wait": ["3 of 3 callers waited", "the server had 2 connections"],
        "idle-run": ["seven borrowed: 7\nseven returned: 5   promised: 7"],
        "shared-run": ["threadsafety: 1\n" + "promised: 1   on the server: 3\n" * 2],
        "shared-maximum": ["TooManyConnectionsError\npromised: 2   on the server: 20"],
        "maxusage-run": ["checkout 1: A A\ncheckout 2: A B\n"],
        "ping-run": [PINGS],
        "persistent-run": ["8 connections on the server", "3 connections on the server"],
        "login-run": ["4 log-ins, 1 let in, over 2 connections"],
    },
    "04_compare_honestly": {
        # The round trips to open a connection depend on the server; those of a query do not.
        "trips-count": ["| 3 |\n| PooledDB tuned |", "| 1 |\n| PersistentDB |"],
        "options-count": [
            "3 with the default\n2 with {'ping': 0}\n2 with {'reset': False}\n",
            "1 with {'ping': 0, 'reset': False}\n",
        ],
        "many-lock": ["with self._lock:\n", "con._reset("],
    },
    "05_wrap_in_mysqlhelp": {
        "execute-run": ["has no attribute 'execute'\",)\nUnboundLocalError"],
        "singleton-run": ["objects: 1, connections: 0\n", "50 opened, 10 left"],
        "singleton-shadow": ["class:  None\n", "object: PooledDB"],
        "update-matched-run": ["plain:           0\nwith FOUND_ROWS: 1\n"],
        "singleton-cure": ["objects: 1, connections: 1"],
        "select-one": [str(STUDENTS[0])],
        "insert-run": ["4\n", "| 3 | 唐嫣 | 25 | 女 |\n| 4 | 小甜甜 | 20 | 女 |"],
        "insert-many-run": ["True\n", "| 5 | 赵丽颖 | 21 | 女 |\n| 6 | Angelababy | 22 | 女 |"],
        "update-fails": ["True\nTrue\nTrue\n", "'Angelababy'"],
        "update-run": ["True\n", "| 6 | 杨颖 | 22 | 女 |"],
        "delete-run": ["True\n", "| 5 | 赵丽颖 | 21 | 女 |"],
        "transaction-fails": ["True True\n", "'age': 19}", "'age': 23}"],
        "transaction-cure": ["ProgrammingError: (1146", "'age': 24}", "'age': 23}"],
    },
    "06_open_a_websocket": {
        "handshake-run": ["101 Switching Protocols", "mine: True"],
        "handshake-refused": ["no key          HTTP/1.1 400", "a foreign page  HTTP/1.1 403"],
        "route-fails": ["connected\nConnectionClosedOK: received 1005", "log: ''"],
        "frame-draw": ["Unmasked, the payload is the text."],
        "frame-answer": ["masked: 0\n8 bytes: 你好"],
        "frame-unmasked": [r"b'\x03\xeaa client has to mask its frames'", "payload: b'hello'"],
        "length-huge": ["code: 1009"],
        "control-run": ["opcode: 10  payload: are you there?\nopcode: 1  payload: 好"],
        "close-run": ["| client disappears | 1006 |  |\n| server restarts | 1012 |"],
        "lost-payload": ["code: 28783"],
        "alive-run": ["3 answers over 1 connection"],
        "lost-back": ["code: 25209"],
        "many-run": ["| threads | 100 |", "| greenlets | 100 |"],
        "push-measure": ["slow polling has the longest delay"],
        "push-plot": ["WebSocket has neither a long delay nor many bytes."],
    },
    "07_broadcast_to_a_group": {
        "zombie-run": ["connected: True\n韩雪 hears: []\n舒畅 hears: [{'msg': '有人吗'}]"],
        "zombie-ours": ["{'msg': '你好'}]"],
        "leaves-run": ["舒畅 is connected: False\n唐嫣 hears: []\n唐嫣 is connected: False"],
        "leaves-ours-run": ["舒畅 is connected: True\n唐嫣 hears: [{'username': '舒畅'"],
        "who-run": [
            "naive/chat       [{'username': '舒畅'",
            "step4_nicknames  [{'username': '唐嫣'",
        ],
        "who-refused": ["4409"],
        "limits-run": ["64 KB are passed on\n", "64 KB are refused with 1009"],
        "who-twice": ["connected: True\nthe first hears:  []\nthe second hears: [{"],
        "doors-run": ["韩雪: 500 426", "500 426\nsource", "connected: True\n", "HTTP 403"],
        "slow-own": ["answer: False\n", "connected:   False\nRuntimeError: dictionary changed"],
        "slow-run": ["and then is disconnected", "does not wait, and then stays"],
        "holds-ack": ["acknowledged: a1\nacknowledged: a1\n['早上好', '收到请回答'] []"],
        "back-run": ["舒畅: ['收到请回答', '一', '二']\n唐嫣: []"],
        "once-run": ["several times as many deliveries"],
    },
    "08_message_one_person": {
        "one-run": ["舒畅: [{'msg': '你好', 'from_user': '韩雪'}]\n唐嫣: []"],
        "stranger-own": ["舒畅:         []\nthe stranger: [{'msg': '门的密码是 1234'"],
        "stranger-run": ["the stranger reads it", "the stranger is refused"],
        "stranger-later": ["门的密码是 1234"],
        "session-forged": ["signed with my key: False", "4401"],
        "none-own": ["来自None:猜猜我是谁"],
        "none-run": ["it comes from None", "is refused (4401)"],
        "several-run": ["舒畅: ['来自韩雪:晚上吃饭']  唐嫣: ['来自韩雪:晚上吃饭']"],
        "several-own": ["connected: True  舒畅 hears: []\n韩雪 hears: []\n"],
        "several-text": ["receives nothing more\n", "then the sender receives messages\n"],
        "tabs-own": ["first: ['来自舒畅:你好']  second: []\nfirst: []\n"],
        "tabs-run": [
            "first of two hear; the second closes: the first hears nothing more",
            "first and second of two hear; the second closes: the first hears on",
        ],
        "site-run": ["connected as the user: True\n", "HTTP 403"],
        "logout-run": ["4401"],
        "rich-run": ["来自韩雪:你好\n", "'client_id': 'a1', 'id': None}"],
    },
    "09_log_in_and_register": {
        "percent-run": [
            "guess          alice -> False\n",
            'x" or "1"="1   nobody -> True\n',
            "-> True\n",
        ],
        "parameters-run": ["let-me-learn   韩雪 -> True\n", '"1"="1   nobody -> False\n'],
        "register-run": ["registered: True\n(('mallory', 'wonderland'),)"],
        "hash-refused": ["refused by userinfo_password_is_hashed"],
        "hash-run": ["equal: False\nfits:  True True\nwrong: False"],
        "cookie-read": ["signed with this key: False\n韩雪"],
        "cookie-forged": ["302 login"],
        "cookie-attributes": ["HttpOnly", "SameSite=Lax"],
        "key-run": ["舒畅 hears: 来自韩雪:", "at ours: 302"],
        "token-run": ["400\nstill in: True"],
        "rate-run": [
            "[401, 401, 401, 401, 429, 429, 429]",
            "one: 429",
            "browser:   302",
            "else: 302",
        ],
        "end-copy": ["before: 200\nafter:  302"],
        "end-socket-run": ["4401 this log-in has ended\n" * 2],
        "frozen-run": ["source: frozen: True; then alice: no answer", "MysqlHelp: frozen: False"],
        "slow-own": ["TimeoutError: timed out", "then: 来自韩雪:你好\n"],
        "slow-run": ["the source's: messages wait as well\nours:         messages go on"],
    },
    "10_befriend_and_catch_up": {
        "list-hasty": ["You can write to friends only"],
        "block-cross": ["asked / asks", "accepted / accepted"],
        "block-run": ["小甜甜 sees: ''", "200 'asked'", "韩雪 sees:   'blocked'"],
        "away-run": ["step 4: 舒畅 is not online.\nstep 5: message delivered: False"],
        "stored-run": ["1 2 3 4 5"],
        "again-run": ["one client_id:    1\nthree client_ids: 3"],
        "got-run": ["10 10 the same: True"],
        "got-said": ["韩雪 hears: delivered 10\nafterwards: 0\n"],
        "kill-count": ["acknowledged and not stored: 0\n"],
        "kill-resend": ["40 stored, in order: True\n40 wait for 舒畅"],
        "history-run": ["['number 37', 'number 38', 'number 39'] more: True"],
        "history-before": ["['number 34', 'number 35', 'number 36'] more: True"],
    },
    "11_run_it_for_real": {
        "rooms-run": ["TimeoutError", "another 韩雪: OPEN"],
        "redis-run": ["舒畅 hears: 你们好！\n", "4409", "exit codes: 0 0\n"],
        "friends-cookie": ["first process:  200\n", "second process: 200\n"],
        "kill-run": ["no close frame received or sent\nmessage acknowledged\n"],
        "kill-back": ["舒畅 hears: 你还在吗？\n"],
        "outage-run": ["舒畅 hears:   没有 Redis 呢？\n"],
        "stop-run": ["healthz: 200", "exit code: 0\n", "received 1012"],
        "nginx-host": [
            "sent it: 421 chat.example.org is not a name",
            "process:         403",
            "--origin:      101",
        ],
        "show-count": ["200 messages on the screen\nlost: 0\ntwice: 0  in order: True\n"],
    },
}


@pytest.fixture
def ask(book):
    """Run a statement and return its rows."""
    with pymysql.connect(**connect_args(cursorclass=DictCursor, autocommit=True)) as connection:

        def rows(sql):
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())

        yield rows


@pytest.mark.timeout(1200)  # the one that measures takes a minute on a quick machine
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_shows_what_it_keeps(play, ask, path):
    with Witness() as witness:
        played = play(path)
        assert witness.settle(0, seconds=20) == 0
    assert played.errors == []
    # A busy machine may belie what figures show. What the lessons keep was measured on a quiet one.
    for sentence in runs.failed_claims(played.notebook):
        warnings.warn(f"{path.stem}: {sentence}", stacklevel=1)
    for cell, expected in FACTS.get(path.stem, {}).items():
        for text in expected:
            assert text in played.text(cell), f"{cell}: {played.text(cell)}"
    said = [output for outputs in played.outputs.values() for output in outputs]
    assert [output.text for output in said if output.get("name") == "stderr"] == []
    assert ask("select * from student") == STUDENTS
    assert ask("select * from stu") == []
    # MySQL counts, words and hashes some things otherwise than MariaDB, on which the lessons were run.
    (server,) = ask("select version() as version")
    if "MariaDB" in server["version"]:
        kept = execution.read(path)
        assert not (diff := runs.differences(kept, played.notebook, load().database)), diff


def lesson(number):
    (path,) = [path for path in LESSONS if path.stem.startswith(number)]
    return path


@pytest.fixture
def closed_port():
    """A port on which nothing listens, and nothing else can begin to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield str(taken.getsockname()[1])


def nobody(port):
    """Settings that lead to a server which is not there."""
    return {"MYSQL_HOST": "127.0.0.1", "MYSQL_PORT": port, "MYSQL_UNIX_SOCKET": ""}


def test_00_without_a_server_says_what_to_do(play, closed_port):
    played = play(lesson("00"), **nobody(closed_port))
    assert played.errors == []
    for cell in ("check-server", "check-seed"):
        (line,) = played.text(cell).splitlines()
        assert line.startswith(f"NOT OK  No MySQL server answers at 127.0.0.1:{closed_port}. ")
        assert " unset MYSQL_HOST " in line
    assert "NOT OK" not in "".join(
        played.text(cell) for cell in ("check-python", "check-packages", "check-port")
    )


def test_00_says_that_the_students_have_changed(play, ask):
    ask("update student set name = '''O''Brien' where id = 1")
    played = play(lesson("00"))
    assert played.errors == []
    assert played.text("check-seed").startswith("NOT OK  The table student holds 'O'Brien, 舒畅")
    assert played.text("check-seed").endswith("python3 -m course db reset\n")


def test_a_lesson_without_a_server_stops_with_one_sentence(play, closed_port):
    notebook = execution.read(lesson("02"))
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells = code[:2]
    played = play(notebook, allow_errors=True, **nobody(closed_port))
    first = played.errors[0]
    assert first in played.outputs["setup"]
    assert first.ename == "LessonError"
    (line,) = first.traceback
    assert line.startswith(f"No MySQL server answers at 127.0.0.1:{closed_port}. ")
    assert " unset MYSQL_HOST " in line
