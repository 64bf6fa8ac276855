"""The writers' lock: fair, for threads and coroutines, whole after cancellations."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from yingqiao.store.locks import FairLock


def test_first_come_first_served() -> None:
    lock, order = FairLock(), []
    threads = []

    def take(name: int) -> None:
        with lock:
            order.append(name)

    with lock:
        for name in range(5):
            threads.append(threading.Thread(target=take, args=(name,)))
            threads[-1].start()
            while len(lock._waiting) <= name:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_threads_and_coroutines_exclude_each_other() -> None:
    lock, inside, worst = FairLock(), 0, 0

    def enter() -> None:
        nonlocal inside, worst
        inside += 1
        worst = max(worst, inside)

    def leave() -> None:
        nonlocal inside
        inside -= 1

    def in_thread() -> None:
        for _ in range(300):
            with lock:
                enter()
                leave()

    async def in_loop() -> None:
        for _ in range(300):
            await lock.acquire()
            enter()
            await asyncio.sleep(0)
            leave()
            lock.release()

    async def run() -> None:
        await asyncio.gather(asyncio.to_thread(in_thread), asyncio.to_thread(in_thread), in_loop(), in_loop())

    asyncio.run(run())
    assert worst == 1


@pytest.mark.parametrize("handed_over", [True, False])
def test_a_cancelled_waiter_keeps_nobody_out(handed_over: bool) -> None:
    async def run() -> None:
        lock = FairLock()
        await lock.acquire()
        waiter = asyncio.create_task(lock.acquire())
        await asyncio.sleep(0)
        if handed_over:
            lock.release()
            waiter.cancel()
        else:
            waiter.cancel()
            await asyncio.sleep(0)
            lock.release()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        await asyncio.wait_for(lock.acquire(), 60)

    asyncio.run(run())


def test_a_waiter_whose_loop_is_gone_is_passed_over() -> None:
    lock = FairLock()
    loop = asyncio.new_event_loop()
    with lock:

        async def queue() -> None:
            task = asyncio.create_task(lock.acquire())
            await asyncio.sleep(0)
            task._log_destroy_pending = False

        loop.run_until_complete(queue())
        loop.close()
    with lock:
        pass
