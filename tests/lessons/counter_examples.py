"""For each claim of the lessons, by their names and words: figures with which it fails.

Each names what measures, and what that finds on a machine, a network or a library of another day: see
`tests/lessons/claims.py`. The figures are ones that could be found.
"""

from contextlib import nullcontext
from types import SimpleNamespace

from demos.group_chat.push.push_clients import Cost
from demos.instruments.rounds import Sample, Turns
from demos.pool_demo.compared import in_the_lock
from demos.pool_demo.compared.ways import HELPER, POOLED, TUNED, WAYS


def sample(figure, rounds=3):
    """The same figure in each round."""
    return Sample((figure,) * rounds)


def rates(**each):
    """Selects a second of all ways: a thousand, but for those that are named."""
    named = dict(
        zip(("raw", "no_tls", "pooled", "tuned", "persistent", "helper"), WAYS, strict=True)
    )
    found = dict.fromkeys(WAYS, sample(1000.0))
    return found | {named[name]: sample(figure) for name, figure in each.items()}


def near(**each):
    """What step 6 finds on this machine."""
    return [
        {"TCP": {(count, name): one for name, one in rates(**each).items() for count in (1, 8)}}
    ]


def far(count, at_0=None, at_5=None):
    """What step 6d finds with so many callers, without and with 5 ms added."""
    return {count: {0: rates(**(at_0 or {})), 1: rates(), 5: rates(**(at_5 or {}))}}


def turns(*each):
    """So many turns for each caller, in a second."""
    return Turns([[0.01] * count for count in each], 1.0)


def phases(**microseconds):
    """What step 6c finds of a connect."""
    found = {"TLS context": 100.0, "socket connects": 70.0, "greeting": 120.0, "log-in": 130.0}
    named = {"tls": "TLS context", "greeting": "greeting"}
    found |= {named[name]: figure for name, figure in microseconds.items()}
    return {phase: sample(figure) for phase, figure in found.items()}


def pool_of(*each):
    """What step 6e finds: queries a second with 1, 2, 4, 8 ... connections."""
    found = {2**power: sample(figure) for power, figure in enumerate(each)}
    return [(found, dict.fromkeys(found, sample(10.0)))]


# A connection is opened, and nothing is asked over it.
OPEN = {"pymysql.connect": [nullcontext()]}

# Round trips until the first answer, and of each query: raw PyMySQL with six, the tuned pool with one.
TRIPS = dict.fromkeys(WAYS, (7, 6)) | {POOLED: (7, 3), TUNED: (7, 1)}

# 5 ms away, one caller. As many trips, and other times: the server works for long.
BUSY_SERVER = {"trips.count_all": [TRIPS], "latency.compare": [far(1)]}

SERVED = {POOLED: [turns(1, 200)], TUNED: [turns(17, 19)], HELPER: [turns(18, 19)]}

COUNTER_EXAMPLES = {
    "02_connect_raw_pymysql": {
        # A driver that prepares TLS once.
        "Connecting takes many times as long as a select.": OPEN | {"milliseconds": [0.7, 0.12]},
        "Most of it is the preparation of TLS.": {"milliseconds": [5.0, 1.0]},
    },
    "04_compare_honestly": {
        # A server far away: each of the messages takes long.
        "One part takes more than twice as long as any other.": {"phases.measure": [phases()]},
        "All of these together take less than the longest part.": {"phases.measure": [phases()]},
        "One choice takes much longer than the two others.": {
            "prepare": [sample(6.0, 10), sample(5.0, 10), sample(5.0, 10)]
        },
        "The two ratios are far apart.": {
            "here.compare": near(raw=900.0, no_tls=1000.0, tuned=3000.0)
        },
        "Of the two parts of the saved time, one is clearly larger.": {
            "here.compare": near(raw=600.0, no_tls=1000.0, tuned=3000.0)
        },
        # A pool that is slower than connecting: it looks at each connection for long.
        "What a pool saves depends on the query.": {
            "here.compare": near(raw=50.0, no_tls=1500.0, tuned=1200.0)
        },
        # A pool that opens a connection for each query.
        "The tuned pool waits for the server less often than raw PyMySQL.": {
            "trips.count_all": [TRIPS | {TUNED: (7, 7)}]
        },
        "The measured ratios are close to the counted ratios.": BUSY_SERVER,
        # The TLS context is built by a slow machine on a slow network.
        "The slower the network, the less the TLS context matters.": {
            "latency.compare": [far(1, {"raw": 600.0}, {"raw": 100.0})]
        },
        # A pool that is silent in its lock by default.
        "One of the two is slower than no pool, and the other is faster.": {
            "latency.compare": [far(32, at_5={"pooled": 1800.0, "tuned": 2000.0})]
        },
        "What a pool does in its lock decides how much work it does.": {
            "in_the_lock.measure": [
                dict(
                    zip(
                        in_the_lock.TRIALS,
                        (500.0, 600.0, 700.0, 800.0, 1000.0, 1600.0),
                        strict=True,
                    )
                )
            ],
        },
        # One lock around all queries: the server works for one connection at a time.
        "One of the two steps brings more than twice as much as the other.": {
            "sizes.measure": pool_of(180.0, 190.0, 190.0, 190.0, 190.0, 190.0, 190.0)
        },
        # A machine with many processors, and a Python that uses them.
        "It matters what the queries do while they run.": {
            "sizes.measure": pool_of(100.0, 200.0, 400.0, 800.0, 1200.0, 1300.0, 1400.0),
            "share": [turns(40), turns(150), turns(500), turns(600)],
        },
        "For the rate of sixteen connections the estimate is close to sixteen.": {
            "sizes.measure": pool_of(180.0, 190.0, 190.0, 190.0, 190.0, 190.0, 190.0)
        },
        # DBUtils lines its callers up.
        "Not all of them share the turns equally.": {"fair.measure": [SERVED]},
        # Who is in the line is overtaken all the same.
        "The turnstile made the turns more equal.": {
            "fair.measure": [SERVED],
            "Callers": [nullcontext(SimpleNamespace(run=lambda turn, *_: turn()))],
            "turn": [turns(10, 25)],
        },
        # A tuned pool that asks the server all the same: far away it gains nothing.
        "On the slow network one pool is more than twice as fast as the other.": {
            "here.compare": near(pooled=2000.0, tuned=3000.0),
            "latency.compare": [far(1, at_5={"pooled": 2000.0, "tuned": 2000.0})],
        },
    },
    "06_open_a_websocket": {
        # Threads whose stacks are small.
        "The two servers do not need the same memory.": {
            "open_many": [
                {"right": 100, "threads": 301, "kB": 27},
                {"right": 100, "threads": 2, "kB": 25},
            ],
        },
        # A socket whose messages wait as long as a poll's, as they do without TCP_NODELAY on a slow line.
        "WebSocket has neither a long delay nor many bytes.": {
            "measure": [
                {
                    "slow polling": Cost(13, 6, 146.0, 558.0),
                    "quick polling": Cost(13, 237, 3669.0, 13.0),
                    "WebSocket": Cost(14, 1, 91.0, 90.0),
                }
            ],
        },
    },
    "09_log_in_and_register": {
        # Scrypt with parameters that are much too small.
        "Scrypt takes longer.": {"milliseconds": [0.0015, 0.009]},
        # No hash is compared.
        "A wrong log-in takes much longer than the page of the form.": {
            "milliseconds": [6.0, 5.0, 3.0]
        },
    },
    "10_befriend_and_catch_up": {
        # Each message has a transaction of its own, together or not.
        "One of the two ways takes less than half as many transactions.": {
            "transactions": [30, 29]
        },
    },
}
