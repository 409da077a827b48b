"""What nobody fetches is forgotten."""

from __future__ import annotations

from asyncio import Queue
from types import SimpleNamespace

from fgsd.app.http.queue_cleanup import QueueCleanup


def told(*words: str) -> Queue:
    messages: Queue = Queue()
    for word in words:
        messages.put_nowait(word)
    return messages


def test_what_is_unread_at_two_sweeps_goes_and_nothing_else():
    queue = SimpleNamespace(
        pending_messages_per_session={
            "left": told("a"),
            "slow": told("b"),
            "reads": told(),
            "busy": told("c"),
        },
        pending_event_ids_session={"left": {"1"}, "slow": {"2"}, "busy": {"3"}},
        event_ids_to_events={"3": SimpleNamespace(session_hash="busy")},
    )
    now = [0.0]
    unread = QueueCleanup(10, clock=lambda: now[0])
    for now[0] in (5.0, 11.0, 15.0):
        unread.sweep(queue)
        assert len(queue.pending_messages_per_session) == 4
    queue.pending_messages_per_session["slow"].get_nowait()
    queue.pending_messages_per_session["new"] = told("d")
    now[0] = 22.0
    unread.sweep(queue)
    assert set(queue.pending_messages_per_session) == {"slow", "reads", "busy", "new"}
    assert set(queue.pending_event_ids_session) == {"slow", "busy"}
    del queue.event_ids_to_events["3"]
    for now[0] in (33.0, 44.0):
        unread.sweep(queue)
    assert set(queue.pending_messages_per_session) == {"slow", "reads"}
