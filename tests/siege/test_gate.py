"""The gate, as a law: never more than the bounds, and who gives way is the longest idle of those that may."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from app.ingest.gate import Gate

EACH, TOTAL = 3, 7
EXEMPT = "127.0.0.1"
ADDRESSES = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "::ffff:192.0.2.1", EXEMPT]
NETWORKS = {"2001:db8::2": "2001:db8::1", "::ffff:192.0.2.1": "192.0.2.1"}


@dataclass(eq=False)
class Connection:
    """A connection that gives way unless it is busy."""

    gate: Gate
    network: str
    busy: bool = False
    gone: list["Connection"] = field(default_factory=list)

    def give_way(self) -> bool:
        if self.busy:
            return False
        self.gate.leave(self)
        self.gone.append(self)
        return True


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.sampled_from(ADDRESSES)),
        st.tuples(st.sampled_from(["busy", "answered", "leave"]), st.integers(0, TOTAL - 1)),
    ),
    max_size=60,
)


@given(STEPS)
def test_the_gate(steps: list[tuple[str, object]]) -> None:
    gate = Gate(EACH, lambda address: address == EXEMPT, TOTAL)
    inside: list[Connection] = []  # in the order of their last answers
    for step, what in steps:
        if step == "enter":
            network = NETWORKS.get(str(what), str(what))
            new = Connection(gate, network)
            peers = [each for each in inside if each.network == network]
            among = (
                peers
                if network != EXEMPT and len(peers) == EACH
                else inside
                if len(inside) == TOTAL
                else None
            )
            due = next((each for each in among if not each.busy), None) if among is not None else None
            assert gate.enter(new, str(what)) == (among is None or due is not None)
            assert new.gone == []
            if due is not None:
                assert due.gone == [due]
                inside.remove(due)
            if among is None or due is not None:
                inside.append(new)
        elif isinstance(what, int) and what < len(inside):
            chosen = inside[what]
            chosen.busy = step == "busy"
            if step == "answered":
                gate.answered(chosen)
                inside.append(inside.pop(what))
            elif step == "leave":
                gate.leave(inside.pop(what))
        assert list(gate.all) == inside
        assert {key: len(value) for key, value in gate.by_network.items() if not value} == {}
