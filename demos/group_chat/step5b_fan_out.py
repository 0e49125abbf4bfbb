"""A10, B2: How many messages a second a server can deliver.

Source: A10's loop calls `json.dumps` for each receiver and builds the same frame again.

See: a hundred clients are connected, and ten of them send at the same time. A delivery is one
message that arrives at one client. The step prints the deliveries a second of the source's server
and of the room of step 5.

Try: set MESSAGES = 1, so that fewer messages come at the same time. How much of the difference is
left? Then use a tenth of the clients.

New: the room of step 5 builds a frame once, never waits in `send`, and writes the messages of one
moment together. This step measures that in the best case, when all messages come at the same time.
bench/ measures a steady load as well.
"""

import statistics
from time import perf_counter

from demos.group_chat.clients.counting import FRAME, hear, join
from demos.instruments.processes import running

SERVERS = {"the source's": "naive.chat", "step 5": "step5_room_that_holds"}
# Each speaker sends MESSAGES at once. Step 5 accepts 30 at once of one person, 200 of one address.
CLIENTS, SPEAKERS, MESSAGES = 100, 10, 20
ROUNDS = 3


def fan_out(url: str) -> float:
    """Let the speakers send, and wait until all others have it; return deliveries a second."""
    clients = [join(url, f"n{number}") for number in range(CLIENTS)]
    deliveries = SPEAKERS * MESSAGES * (CLIENTS - 1)  # nobody receives their own messages
    began = perf_counter()
    for speaker in clients[:SPEAKERS]:
        speaker.sendall(FRAME * MESSAGES)
    hear(clients, deliveries)
    seconds = perf_counter() - began
    for client in clients:
        client.close()
    return deliveries / seconds


def measure() -> dict[str, float]:
    """Return each server's deliveries a second: the median of rounds that take turns."""
    found: dict[str, list[float]] = {name: [] for name in SERVERS}
    for _ in range(ROUNDS):
        for name, module in SERVERS.items():
            with running(module) as (url,):  # a new one each time, because of W2
                found[name].append(fan_out(url))
    return {name: statistics.median(rates) for name, rates in found.items()}


def sentence(rates: dict[str, float]) -> str:
    """Return the claim in words."""
    source, ours = rates.values()
    many = "several times as many" if ours > 3 * source else "not even three times as many"
    return f"The room makes {many} deliveries as the source's loop."


def main() -> None:
    """Measure, show, conclude."""
    rates = measure()
    for server, rate in rates.items():
        print(f"{server:14}{rate:12,.0f} deliveries/s")
    print(f"\nConclusion: {sentence(rates)}")


if __name__ == "__main__":
    main()
