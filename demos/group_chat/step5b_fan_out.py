"""A10, B2: How fast one becomes many.

Source: A10's loop calls `json.dumps` for each receiver, and sends the same frame made anew.

See: a hundred clients, ten of whom speak, all at once. How many deliveries a second make the
source's server and the room of step 5? A delivery is one message at one client.

Try: MESSAGES = 1, so that less comes at once. What is left of the difference? Then a tenth of the
clients.

New: the room of step 5 makes a frame once, sends without waiting, and writes messages of one moment
together. Here that is measured, in the best case: at once. bench/ has a steady load as well.
"""

import statistics
from time import perf_counter

from demos.group_chat.counting import FRAME, hear, join
from demos.group_chat.servers import running

SERVERS = {"the source's": "naive.chat", "step 5": "step5_room_that_holds"}
# Each speaker says so many at once. Step 5 lets 30 of one person pass, and 200 of one address.
CLIENTS, SPEAKERS, MESSAGES = 100, 10, 20
ROUNDS = 3


def fan_out(url: str) -> float:
    """Let the speakers speak, and all others hear each; return deliveries a second."""
    clients = [join(url, f"n{number}") for number in range(CLIENTS)]
    deliveries = SPEAKERS * MESSAGES * (CLIENTS - 1)  # nobody hears what they said themselves
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
            with running(module) as (url,):  # anew: the source's does not outlive a client (W2)
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
