"""A small language for the life of a book: one input per line, what it causes, and what the book looks like then.

    A buy a 5@100          | accept a 5@100; rest a 5          | a5@100 /
    B sell b 3@100 ioc     | accept b 3@100; trade b a 3@100 left 0; done b filled 3+0 | a2@100 /

**Inputs.** Accounts are capital letters, orders are small words.

==================================  ====================================================================================
``A buy a 5@100 …``                 NEW limit order, to be called ``a``; ``5@market`` a market order. Words that follow:
                                    ``gtd=t ioc fok post iceberg=n reduce unprotected stp=oldest group=n id=n``
``A cancel a``, ``A cancel id=7``   CANCEL by handle, by client id; ``#n`` is a raw handle
``A cancel all``, ``… buys|sells``  CANCEL_ALL
``A amend a lots=… price=… tip=…``  AMEND by handle; ``id=7`` instead of a name as above
``A fund cash 50``, ``asset -5``    FUND
``mode closed``, ``clock``          CONTROL, CLOCK
``t=9 …``                           any of these at time 9; time stays until told
==================================  ====================================================================================

**Events**, separated by semicolons; ``-`` is none. A line that begins with the bar goes on with the events of the last.

======================================  ================================================================================
``accept a 5@100``                      ACCEPTED lots@limit
``reject no_funds``                     REJECTED
``trade b a 3@100 left 0``              TRADE taker maker lots@price, what it still wants; ``fees t m`` unless 0 0
``rest a 5``, ``rest a 2/5``            RESTED shown, or shown/leaves of an iceberg
``done b filled 3+0``                   DONE reason filled+unfilled, of an order that was in no queue
``gone a user 3+2``                     the same, of an order that was in a queue
``amend a 4@101 was 100``, ``… kept``   AMENDED shown (or shown/leaves) @ price, former price, ``kept``: the place
``refill a 2/3``                        REPLENISHED
``mode closed was online``              MODE
``post A cash 50``                      POSTED
======================================  ================================================================================

**Books** list bids from best to worst, a slash, asks from best to worst, each in queue order:
``a5@100 b2/8@100 / c1@101``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from tests.support.book_inputs import Setup, deposits, record
from tests.support.book_transcript import look

from mycelial.market.book.records import Done, EventFlag, EventKind, Flag, Kind, Mode, Reject, Side, Stp, Tif

PLENTY = 10**9


class Market:
    """A book that is spoken to in words."""

    def __init__(self, make: Any, setup: Setup, cash: int = PLENTY, asset: int = PLENTY) -> None:
        self.book = setup.open(make)
        self.setup = setup
        self.now = 0
        self.handles: dict[str, int] = {}
        self.names: dict[int, str] = {}
        self.next_event = len(self.book.apply(deposits(setup.accounts, cash, asset)))
        self.next_cause = self.next_event

    def play(self, script: str) -> None:
        """Send every line of a script and hold its events and its book against what it says."""
        for sent, events, book in _steps(script):
            assert self.send(sent) == events, sent
            if book:
                assert self.shown() == book, sent

    def send(self, line: str) -> str:
        """Send one input; return its events in words."""
        words = line.split()
        if words[0].startswith("t="):
            self.now = int(words.pop(0)[2:])
        name, made = self._input(words)
        made["ts"] = self.now
        events = self.book.apply_one(made[0])
        said = []
        for event in events:
            if event["kind"] == EventKind.ACCEPTED:
                assert name, "only NEW is accepted"
                self.handles[name], self.names[int(event["handle"])] = int(event["handle"]), name
            self._check_frame(event)
            said.append(self._say(event))
        self.next_cause += 1
        self._check_book()
        return "; ".join(said) or "-"

    def shown(self) -> str:
        """Return the book in words."""
        sides = []
        for side in (Side.BUY, Side.SELL):
            rows = [row for row in self.book.orders() if row["side"] == side]
            sides.append(
                [f"{self.names[int(r['handle'])]}{_amount(r['shown'], r['leaves'])}@{r['price']}" for r in rows]
            )
        return " ".join([*sides[0], "/", *sides[1]])

    def account(self, letter: str) -> tuple[int, int, int, int]:
        """Return (cash free, cash held, asset free, asset held)."""
        row = self.book.accounts()[["cash_free", "cash_held", "asset_free", "asset_held"]]
        cash_free, cash_held, asset_free, asset_held = row[_owner(letter)].item()
        return cash_free, cash_held, asset_free, asset_held

    # ---- words to input ---------------------------------------------------------------------------------------------

    def _input(self, words: list[str]) -> tuple[str, np.ndarray[Any, Any]]:
        if words[0] == "mode":
            return "", record(Kind.CONTROL, aux=Mode[words[1].upper()])
        if words[0] == "clock":
            return "", record(Kind.CLOCK)
        owner, verb, *rest = words
        who = {"owner": _owner(owner)}
        if verb in ("buy", "sell"):
            return rest[0], record(Kind.NEW, side=Side[verb.upper()], **who, **self._new(rest[1:]))
        if verb == "cancel" and rest[0] == "all":
            side = {"buys": 0, "sells": 1, "": 2}[rest[1] if len(rest) > 1 else ""]
            return "", record(Kind.CANCEL_ALL, side=side, **who)
        if verb == "cancel":
            return "", record(Kind.CANCEL, **who, **self._address(rest[0]))
        if verb == "amend":
            fields = dict(word.split("=") for word in rest[1:])
            changes = {{"tip": "display"}.get(key, key): int(value) for key, value in fields.items()}
            return "", record(Kind.AMEND, **who, **self._address(rest[0]), **changes)
        assert verb == "fund", words
        return "", record(Kind.FUND, side=("cash", "asset").index(rest[0]), aux=int(rest[1]), **who)

    @staticmethod
    def _new(words: list[str]) -> dict[str, int]:
        lots, price = words[0].split("@")
        fields = {"lots": int(lots), "price": 0 if price == "market" else int(price)}
        raw_flags = 0
        flags = Flag.MARKET if price == "market" else Flag(0)
        switches = {"post": Flag.POST_ONLY, "reduce": Flag.REDUCE_ONLY, "unprotected": Flag.NO_PROTECTION}
        for word in words[1:]:
            key, _, value = word.partition("=")
            if key in switches:
                flags |= switches[key]
            elif key in ("ioc", "fok"):
                fields["tif"] = Tif[key.upper()]
            elif key == "gtd":
                fields |= {"tif": Tif.GTD, "expire": int(value)}
            elif key == "iceberg":
                flags |= Flag.ICEBERG
                fields["display"] = int(value)
            elif key == "stp":
                fields["stp"] = STP[value]
            elif key == "flags":
                raw_flags = int(value)
            else:
                fields[{"id": "client_id"}.get(key, key)] = int(value)
        return fields | {"flags": int(flags) | raw_flags}

    def _address(self, word: str) -> dict[str, int]:
        if word.startswith("id="):
            return {"handle": -1, "client_id": int(word[3:])}
        return {"handle": int(word[1:]) if word.startswith("#") else self.handles[word]}

    # ---- events to words --------------------------------------------------------------------------------------------

    def _say(self, event: Any) -> str:
        kind, lots, leaves, price = EventKind(event["kind"]), event["lots"], event["leaves"], event["price"]
        if kind == EventKind.REJECTED:
            return f"reject {Reject(event['reason']).name.lower()}"
        if kind == EventKind.MODE:
            return f"mode {Mode(lots).name.lower()} was {Mode(leaves).name.lower()}"
        if kind == EventKind.POSTED:
            return f"post {chr(65 + event['owner'])} {('cash', 'asset')[event['side']]} {lots}"
        name = self.names[int(event["handle"])]
        if kind == EventKind.ACCEPTED:
            return f"accept {name} {lots}@{price}"
        if kind == EventKind.TRADE:
            maker, fees = self.names[int(event["maker_handle"])], (event["taker_fee"], event["maker_fee"])
            paid = f" fees {fees[0]} {fees[1]}" if any(fees) else ""
            return f"trade {name} {maker} {lots}@{price} left {leaves}{paid}"
        if kind == EventKind.DONE:
            verb = "gone" if event["flags"] & EventFlag.RESTING else "done"
            return f"{verb} {name} {Done(event['reason']).name.lower()} {lots}+{leaves}"
        if kind == EventKind.AMENDED:
            kept = " kept" if event["flags"] & EventFlag.KEPT else ""
            return f"amend {name} {_amount(lots, leaves)}@{price} was {event['maker_handle']}{kept}"
        verb = {EventKind.RESTED: "rest", EventKind.REPLENISHED: "refill"}[kind]
        return f"{verb} {name} {_amount(lots, leaves)}"

    def _check_frame(self, event: Any) -> None:
        """Hold what every event must carry: its number, its time and its cause."""
        assert (event["event_seq"], event["cause"]) == (self.next_event, self.next_cause)
        assert event["ts"] == self.book.now
        self.next_event += 1

    def _check_book(self) -> None:
        """Hold what must be so after every input: one book in all views, and no money made or lost."""
        state = look(self.book)
        for side, levels, best in ((0, state.bids, state.best_bid), (1, state.asks, state.best_ask)):
            shown: dict[int, int] = {}
            for order in state.orders:
                if order.side == side:
                    shown[order.price] = shown.get(order.price, 0) + order.shown
            assert levels == list(shown.items())
            assert best == (levels[0][0] if levels else 0)
        assert not (state.best_bid and state.best_ask) or state.best_bid < state.best_ask
        assert sum(a.cash_free + a.cash_held for a in state.accounts) == 0
        assert sum(a.asset_free + a.asset_held for a in state.accounts) == 0


STP = {"newest": Stp.CANCEL_NEWEST, "oldest": Stp.CANCEL_OLDEST, "both": Stp.CANCEL_BOTH, "none": Stp.NONE}


def _steps(script: str) -> Iterator[tuple[str, str, str]]:
    """Yield (input, events, book) of every step; a line without input goes on with the events of the one before."""
    rows = [[part.strip() for part in line.split("|")] for line in script.strip().splitlines()]
    steps: list[list[str]] = []
    for sent, events, *book in rows:
        if sent:
            steps.append([sent, events, *book])
        else:
            steps[-1][1:] = [f"{steps[-1][1]} {events}", *book]
    for sent, events, *book in steps:
        yield sent, events, book[0] if book else ""


def _owner(letter: str) -> int:
    return ord(letter) - ord("A")


def _amount(shown: int, leaves: int) -> str:
    return f"{shown}" if shown == leaves else f"{shown}/{leaves}"
