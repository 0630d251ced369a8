"""What may go wrong, and where: the declared table of steps and faults. Pure.

A step is a request to the broker, or a transaction of the database. What cannot happen at a step is left out, with the
reason in `NOT_APPLICABLE`.
"""

from dataclasses import dataclass

READS = ("account", "pricing", "record", "terms")
WRITES = ("order", "close", "protect", "mark")
TRANSACTIONS = (
    "books", "open", "intent", "book", "see", "turn", "exits", "doubt", "give_up", "reject", "refuse", "answer",
    "status",
)  # fmt: skip
STREAMS = ("prices", "transactions")

OF_READS = {
    "refused": "no connection: nothing is sent",
    "silent": "no answer until the deadline",
    "slow": "the answer comes after a second and a half",
    "gateway": "502 with a page of HTML",
    "truncated": "the answer ends in the middle",
    "limited": "429 with Retry-After",
    "unauthorized": "401",
}
OF_WRITES = {
    "refused": "no connection: nothing is sent",
    "vanished": "sent, never arrived, no answer",
    "lost": "done, and the answer is lost at once",
    "silent": "done, and no answer until the deadline",
    "late": "no answer, and it is done 20 s later",
    "slow": "done; the answer comes after a second and a half",
    "gateway": "502, not done",
    "gateway_after": "502, done all the same",
    "truncated": "done; the answer ends in the middle",
    "limited": "429 with Retry-After",
    "unauthorized": "401",
}
OF_TRANSACTIONS = {
    "gone": "the server is out of reach",
    "disk_full": "the server's disk is full",
    "stalled": "a statement hangs until the deadline cuts the connection",
    "waits": "a statement waits for a second",
    "uncommitted": "the connection breaks at the commit, which does not stand",
    "unconfirmed": "the connection breaks at the commit, which stands",
}
OF_STREAMS = {
    "cut": "the stream ends and is opened again after some seconds",
    "stall": "the stream says nothing for some seconds",
    "doubled": "each line comes twice",
    "reordered": "a line comes after the next one",
    "skewed": "times are a day off",
}
SPECIAL = (
    ("account", "lag"), ("record", "lag"), ("record", "hole"), ("pricing", "skewed"), ("pricing", "stale"),
    ("pricing", "empty"), ("order", "empty"), ("order", "moved"), ("record", "reordered"), ("record", "doubled"),
    ("order", "crossed"), ("intent", "halted"),
)  # fmt: skip
OF_SPECIAL = {
    "lag": "the answer is that of some seconds ago",
    "hole": "a transaction in the middle is missing for some seconds",
    "skewed": "the time is a day off",
    "stale": "prices are two minutes old",
    "empty": "no liquidity",
    "moved": "the market moves by 20 pips while the order is under way",
    "crossed": "a person opens a trade the other way while the order is under way",
    "halted": "a person halts between the look and the intent, and resumes later",
    "reordered": "transactions come in another order",
    "doubled": "each transaction comes twice",
}
CRASHES = {
    "killed_before": "the process dies before it",
    "killed_after": "the process dies right after it",
}
ACTS = {
    "closes_ours": "a person closes a trade of ours at the broker",
    "reduces_ours": "a person closes a part of a trade of ours",
    "removes_stop": "a person takes the stop off a trade of ours",
    "loosens_stop": "a person moves the stop of ours away",
    "tightens_stop": "a person moves the stop of ours nearer",
    "removes_marks": "a person changes the marks of a trade of ours",
    "opens_own": "a person opens a trade of his own",
    "opens_opposite": "a person opens a trade against ours",
    "pays_in": "a person pays money in",
    "pays_out": "a person pays money out",
    "reduces": "a person turns the switch to REDUCING, and back later",
    "halts": "a person halts, and resumes later; an entry that cannot be read may come between",
    "flattens": "a person asks to close everything",
    "asks_close": "a person asks to close one trade",
    "disables": "a person disables a pair, and enables it later",
    "bad_signal": "a signal that cannot be read is stored",
    "unknown_entry": "the broker's record has an entry of an unknown type that moves money",
    "unreadable_entry": "the broker's record has an entry that cannot be read; a person resumes later",
    "second_trader": "a second trader is started on the database",
    "lost_lock": "the lock's session ends, and a second trader takes the lock for a while",
    "restarts": "the trader is stopped and started again",
    "jump": "the market jumps by 150 pips",
}


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """A fault at a step."""

    step: str
    fault: str


NOT_APPLICABLE: dict[Cell, str] = {
    Cell("books", "disk_full"): "it only reads",
    Cell("books", "uncommitted"): "it only reads",
    Cell("books", "unconfirmed"): "it only reads",
    Cell("prices", "doubled"): "a quote twice is the same quote",
}


def _table() -> tuple[tuple[Cell, ...], tuple[Cell, ...]]:
    faults = [Cell(step, fault) for step in READS for fault in OF_READS]
    faults += [Cell(step, fault) for step in WRITES for fault in OF_WRITES]
    faults += [Cell(step, fault) for step in TRANSACTIONS for fault in OF_TRANSACTIONS]
    faults += [Cell(step, fault) for step in STREAMS for fault in OF_STREAMS]
    faults += [Cell(step, fault) for step, fault in SPECIAL]
    crashes = [Cell(step, fault) for step in (*WRITES, *TRANSACTIONS) for fault in CRASHES]
    return tuple(c for c in faults if c not in NOT_APPLICABLE), tuple(crashes)


FAULTS, CRASHED = _table()
"""Every fault at every step where it can happen, and every step at which the process may die."""
ACTED = tuple(Cell("person", act) for act in ACTS)
"""What people, a second trader and the market do."""
_WORDS = {"read": OF_READS, "write": OF_WRITES, "row": OF_TRANSACTIONS, "stream": OF_STREAMS}


def explained(cell: Cell) -> str:
    """What a cell is, in words."""
    if cell.step == "person":
        return ACTS[cell.fault]
    kind = "read" if cell.step in READS else "write" if cell.step in WRITES else "stream"
    kind = "row" if cell.step in TRANSACTIONS else kind
    return CRASHES.get(cell.fault) or _WORDS[kind].get(cell.fault) or OF_SPECIAL[cell.fault]


CELLS = (*FAULTS, *CRASHED, *ACTED)
