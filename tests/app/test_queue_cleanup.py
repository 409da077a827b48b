"""Messages that no client fetches are dropped, and so are sessions that have ended."""

from __future__ import annotations

from asyncio import Queue
from types import SimpleNamespace

from fgsd.app.http.queue_cleanup import QueueCleanup


def queue_of(*texts: str) -> Queue:
    messages: Queue = Queue()
    for text in texts:
        messages.put_nowait(text)
    return messages


def test_a_session_that_is_unread_at_two_sweeps_is_dropped_and_no_other():
    queue = SimpleNamespace(
        pending_messages_per_session={
            "left": queue_of("a"),
            "slow": queue_of("b"),
            "reads": queue_of(),
            "ended": queue_of(),
            "busy": queue_of("c"),
        },
        pending_event_ids_session={
            **{"left": {"1"}, "slow": {"2"}, "reads": {"4"}, "busy": {"3"}},
            **{"ended": set(), "evicted": {"5"}},
        },
        event_ids_to_events={"3": SimpleNamespace(session_hash="busy")},
    )
    now = [0.0]
    cleanup = QueueCleanup(10, clock=lambda: now[0])
    for now[0] in (5.0, 11.0, 15.0):
        cleanup.sweep(queue)
        assert len(queue.pending_messages_per_session) == 5
    queue.pending_messages_per_session["slow"].get_nowait()
    queue.pending_messages_per_session["new"] = queue_of("d")
    now[0] = 22.0
    cleanup.sweep(queue)
    assert set(queue.pending_messages_per_session) == {"slow", "reads", "busy", "new"}
    assert set(queue.pending_event_ids_session) == {"slow", "reads", "busy"}
    del queue.event_ids_to_events["3"]
    for now[0] in (33.0, 44.0):
        cleanup.sweep(queue)
    assert set(queue.pending_messages_per_session) == {"slow", "reads"}


def test_an_answer_on_its_way_to_a_visitor_who_paused_is_kept():
    queue = SimpleNamespace(
        pending_messages_per_session={"back": queue_of(), "slow": queue_of("a")},
        pending_event_ids_session={"back": set(), "slow": {"1"}},
        event_ids_to_events={},
    )
    now = [0.0]
    cleanup = QueueCleanup(10, clock=lambda: now[0])
    now[0] = 11.0
    cleanup.sweep(queue)
    queue.pending_messages_per_session["back"].put_nowait("completed")
    queue.pending_event_ids_session["back"].add("2")
    queue.pending_messages_per_session["slow"].get_nowait()
    queue.pending_messages_per_session["slow"].put_nowait("completed")
    now[0] = 22.0
    cleanup.sweep(queue)
    assert set(queue.pending_messages_per_session) == {"back", "slow"}
