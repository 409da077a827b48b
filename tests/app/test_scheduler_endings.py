"""How requests end before their time: cancelled, closed, or with an error."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from scheduler_help import call_network, finish, queue_calls, sampled, wait_for

from fgsd.app.serving.scheduler import Cancelled, Scheduler


class TestCancelled:
    def test_no_evaluation_follows(self, scheduler, network):
        with pytest.raises(Cancelled):
            sampled(scheduler, "moss", is_cancelled=lambda: len(network.batches) >= 3, steps=50)
        assert network.batches == [1] * 3
        assert scheduler._requests == []

    def test_a_call_that_waits_is_cancelled(self, scheduler, network):
        network.gate.clear()
        cancelled = threading.Event()
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(sampled, scheduler, "moss")
            assert network.entered.wait(30)
            second = pool.submit(sampled, scheduler, "brick", n=2, is_cancelled=cancelled.is_set)
            wait_for(lambda: scheduler._waiting)
            cancelled.set()
            network.gate.set()
            assert len(first.result(30)) == 1
            with pytest.raises(Cancelled):
                second.result(30)
        assert network.batches == [1] * 6

    def test_an_error_of_the_callable_ends_its_own_request_only(self, scheduler, caplog):
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(sampled, scheduler, "moss", steps=40)
            with pytest.raises(Cancelled):
                sampled(scheduler, "brick", visitor="b", is_cancelled=lambda: 1 / 0)
            assert len(other.result(30)) == 1
        assert "whether anybody waits" in caplog.text

    def test_closing_ends_all_requests(self, pipe_copy, network):
        scheduler = Scheduler(pipe_copy)
        network.gate.clear()
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(sampled, scheduler, "moss")
            assert network.entered.wait(30)
            closing = threading.Thread(target=scheduler.close)
            closing.start()
            network.gate.set()
            with pytest.raises(Cancelled):
                first.result(30)
            closing.join(30)
        assert network.batches == [1]
        with pytest.raises(Cancelled, match="closed"):
            sampled(scheduler, "moss")


class TestErrors:
    def test_only_the_bad_request_of_a_shared_batch_fails(self, pipe_copy, network):
        scheduler = Scheduler(pipe_copy)
        network.fails = lambda x: bool((x[:, 0, 0, 0] == 0.5).any())
        found: dict[float, object] = {}
        threads = queue_calls(scheduler, network)

        def run(mark):
            try:
                with scheduler.lend(mark) as lent:
                    found[mark] = call_network(lent, mark)[0].shape
            except ArithmeticError as error:
                found[mark] = str(error)

        for mark in (0.25, 0.5, 0.75):
            threads.append(threading.Thread(target=run, args=(mark,)))
            threads[-1].start()
        wait_for(lambda: len(scheduler._waiting) == 3)
        batches = finish(network, threads)
        assert found == {0.25: (1, 3, 16, 16), 0.5: "a bad batch", 0.75: (1, 3, 16, 16)}
        assert len(batches) == 4 and len(batches[0]) == 3
        assert len(sampled(scheduler, "moss")) == 1, "the worker is dead"
        scheduler.close()

    def test_an_error_of_the_scheduler_reaches_all_calls_that_wait(
        self, pipe_copy, network, monkeypatch, caplog
    ):
        scheduler = Scheduler(pipe_copy)
        found = []
        threads = queue_calls(scheduler, network)

        def run(mark):
            try:
                with scheduler.lend(mark) as lent:
                    call_network(lent, mark)
            except ZeroDivisionError:
                found.append(mark)

        for mark in (0.1, 0.2):
            threads.append(threading.Thread(target=run, args=(mark,)))
            threads[-1].start()
        wait_for(lambda: len(scheduler._waiting) == 2)
        with monkeypatch.context() as patch:
            patch.setattr(scheduler, "_choose_batch", lambda ready: 1 // 0)
            finish(network, threads)
        assert sorted(found) == [0.1, 0.2] and "the scheduler failed" in caplog.text
        assert len(sampled(scheduler, "moss")) == 1
        scheduler.close()
