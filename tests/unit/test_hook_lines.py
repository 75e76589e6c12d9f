"""Lines of events that wait for a webhook's receiver, and the pace of attempts."""

from __future__ import annotations

from batonbox_server.config import Settings
from batonbox_server.service.hook_lines import EVENTS_MOST, LINES_MOST, Event, Lines, Pace


def event(name: str, conv: str) -> Event:
    """An event of a conversation."""
    return Event(name, "message.received", conv, 1, b"{}")


def test_what_is_held_survives_the_way_to_the_engine_and_back() -> None:
    lines = Lines()
    lines.add(event("a", "c1"), now_ms=5)
    lines.add(event("b", "c1"), now_ms=9)
    lines.add(event("c", "c2"), now_ms=9)
    again = Lines.decode(lines.encode())
    assert again.lines == lines.lines
    assert [line.events[0].id for line in again.due(5)] == ["a"]
    assert again.next_ms == 5
    del again.lines["c1"].events[:]
    again.sweep()
    assert list(again.lines) == ["c2"]
    assert Lines().encode() == b"" and Lines.decode(b"").next_ms == 0


def test_few_conversations_and_few_events_are_held() -> None:
    by_conversations, by_events = Lines(), Lines()
    for i in range(LINES_MOST):
        assert not by_conversations.full
        by_conversations.add(event(str(i), f"c{i}"), now_ms=0)
    assert by_conversations.full
    for i in range(EVENTS_MOST):
        assert not by_events.full
        by_events.add(event(str(i), "c"), now_ms=0)
    assert by_events.full


def test_attempts_grow_apart_up_to_an_hour_and_span_most_of_a_day() -> None:
    settings = Settings()
    pace = Pace(
        settings.webhooks_attempts,
        settings.webhooks_first_pause_s,
        settings.webhooks_longest_pause_s,
    )
    pauses = [pace.pause_ms(attempt, 0.0) for attempt in range(1, pace.attempts)]
    assert pauses[:4] == [1000, 4000, 16_000, 64_000]
    assert max(pauses) == 3_600_000
    assert 20 < sum(pauses) / 3_600_000 < 26
    assert pace.pause_ms(1, 1.0) == 800
    assert pace.pause_ms(1, 1.0, asked_s=90) == 90_000
    assert pace.pause_ms(1, 1.0, asked_s=1e9) == 3_600_000
