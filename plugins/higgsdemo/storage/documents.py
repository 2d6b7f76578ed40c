"""The JSON documents and lists of a run's folder, which anybody may write who may write results.

Their size is checked before they are read, then their content: each is either understood or refused in words.
"""

import json
from collections.abc import Callable, Iterator
from math import isfinite
from typing import NoReturn, TypeVar

from pydantic import TypeAdapter, ValidationError

from higgsdemo.storage.object_store import LARGEST_READ, DamagedError, ObjectStore
from higgsdemo.wording import first_fault, quote

Content = TypeVar("Content")


def read_document(
    store: ObjectStore, key: str, kind: TypeAdapter[Content], limit: int = LARGEST_READ
) -> Content:
    """Return the document in the object ``key``.

    :raises DamagedError: when it is not of that kind; NaN and infinity are not JSON.
    :raises StorageError: when it cannot be read, or has more than ``limit`` bytes.
    """
    try:
        content = json.loads(store.read(key, limit), parse_float=_finite, parse_constant=_no_number)
        return kind.validate_python(content)
    except ValidationError as error:
        why = first_fault(error)
    except (ValueError, RecursionError) as error:
        why = f"no JSON ({error})"
    raise DamagedError(f"{store.url}/{key} is not what a run writes there: {why}")


def read_lines(store: ObjectStore, key: str, parse: Callable[[bytes], Content]) -> Iterator[Content]:
    """Yield what ``parse`` makes of the lines of the object ``key``.

    :raises DamagedError: when it cannot parse one.
    :raises StorageError: when it cannot be read.
    """
    for number, line in enumerate(store.lines(key), 1):
        try:
            parsed = parse(line)
        except (ValueError, LookupError, TypeError, RecursionError):
            where = f"{store.url}/{key} is not what a run writes there: line {number}"
            raise DamagedError(f"{where} is {quote(line.decode(errors='replace'))}") from None
        yield parsed


def _finite(text: str) -> float:
    number = float(text)
    return number if isfinite(number) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
