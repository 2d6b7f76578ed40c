"""Make the next item while the present one is used: the network works while the processor does."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TypeVar

Item = TypeVar("Item")


def one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the same items, each made in a thread while the one before it is used.

    At most one is made ahead, and the first begins at once. An exception of `items` is raised in its place in
    the order, once the items before it have been used.
    """
    return _handed_out(items, _begin(lambda: next(items, None)))


def _handed_out(items: Iterator[Item], first: "Future[Item | None]") -> Iterator[Item]:
    upcoming = first
    while (item := upcoming.result()) is not None:
        upcoming = _begin(lambda: next(items, None))
        yield item


def _begin(make: Callable[[], Item]) -> "Future[Item]":
    """Run `make` in a thread that does not keep an ending process alive."""
    future: Future[Item] = Future()

    def work() -> None:
        try:
            future.set_result(make())
        except BaseException as error:  # noqa: BLE001  # it is raised where the item is used
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future
