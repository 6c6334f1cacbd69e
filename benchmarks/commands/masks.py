"""Measure what a mask and a rule cost: the CPU of a value there, and back where it comes back.

Each is the function that the job calls for a column's value, over values that all differ. A rule is measured on values
in their normal form, on others that it sees for the first time, and on others that it has just seen.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.measuring import add_count, add_name, finish
from benchmarks.results import Cell, measured
from maskline.keys import StoredKeyset, create_keyset, open_keyset
from maskline.keys.hash_keyset import HashKeyset, new_hash_keyset_handle
from maskline.masks.deterministic import Masker
from maskline.masks.normalization import Normalization
from maskline.streams.column_mask import column_mask, column_unmask
from maskline.streams.definition import Column, parse_stream

MASKS = {
    "deterministic": 'type = "text"\nmask = "deterministic"',
    "deterministic, pad = 16": 'type = "text"\nmask = "deterministic"\npad = 16',
    "random": 'type = "text"\nmask = "random"',
    "hash": 'type = "char(22)"\nmask = "hash"',
    "truncate:ip/24,48": 'type = "text"\nmask = "truncate:ip/24,48"',
    "truncate:date/month": 'type = "text"\nmask = "truncate:date/month"',
    "truncate:number/1000": 'type = "bigint"\nmask = "truncate:number/1000"',
    "truncate:keep/last4": 'type = "text"\nmask = "truncate:keep/last4"',
    "redact": 'type = "text"\nmask = "redact"',
    "leaves, of a document of 4": 'type = "jsonb"\nmask = "leaves"',
}
RULES: dict[str, Callable[[int], tuple[str, str]]] = {
    "ip": lambda n: (_ip(n), f" {_ip(n)}"),
    "ip, of IPv6": lambda n: (f"2001:db8::1:{n:x}", f"2001:DB8:0:0:0:0:1:{n:X}"),
    "email": lambda n: (f"ann.{n}@example.com", f"Ann.{n}@Example.com"),
    "phone:DE": lambda n: (f"+49170{n + 1_000_000}", f"0170 {n + 1_000_000}"),
    "uuid": lambda n: (f"6f9619ff-8b86-4011-b42d-{n:012x}", f"6F9619FF8B864011B42D{n:012X}"),
    "mac": lambda n: (f"08:00:2b:01:{n >> 8 & 255:02x}:{n & 255:02x}", f"08-00-2B-01-{n >> 8 & 255:02X}-{n & 255:02X}"),
    "iban": lambda n: (_iban(n), f"{_iban(n)[:4]} {_iban(n)[4:]}"),
    "text": lambda n: (f"device-{n}", f"device-{n} "),
    "caseless": lambda n: (f"device-{n}", f"Device-{n}"),
}
"""Of each rule, a value in its normal form and another spelling of it, by number."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_count(parser, "values", 5_000, "how many values of each")
    add_count(parser, "runs", 5, "how many runs of which the median counts")
    add_name(parser, "masks")


def main(arguments: argparse.Namespace) -> int:
    """Measure each mask, then each rule."""
    masker = Masker(open_keyset(StoredKeyset(create_keyset(), "made for a benchmark")))
    hashes = HashKeyset(new_hash_keyset_handle())
    rows: list[list[Cell]] = []
    for name, lines in MASKS.items():
        column = _column(lines)
        values = [_value(column, number) for number in range(arguments.values)]
        mask = column_mask(column, masker, hashes)
        back = None
        if column.mask is not None and column.mask.is_reversible:
            back = _median(column_unmask(column, masker), list(map(mask, values)), arguments.runs)
        rows.append([name, _median(mask, values, arguments.runs), back])
    for name, spellings in RULES.items():
        rows += _rule_rows(name, [spellings(number) for number in range(arguments.values)])
    title = f"CPU of one value by mask, and by rule, over {arguments.values:,} values"
    return finish(measured(arguments.name, title, ["", "there [µs/value]", "back [µs/value]"], rows))


def _rule_rows(name: str, spellings: Sequence[tuple[str, str]]) -> list[list[Cell]]:
    normal_form = Normalization.parse(name.partition(",")[0]).normal_form()
    new = _seconds(normal_form, [other for _, other in spellings])
    recent = [other for _, other in spellings[-1000:]]
    return [
        [f"normalize {name}: in its normal form", _median(normal_form, [form for form, _ in spellings], 1), None],
        [f"normalize {name}: otherwise, new", new / len(spellings) * 1e6, None],
        [f"normalize {name}: otherwise, seen before", _median(normal_form, recent, 5), None],
    ]


def _median(change: Callable[[Any], object], values: Sequence[object], runs: int) -> float:
    return statistics.median(_seconds(change, values) / len(values) * 1e6 for _ in range(runs))


def _seconds(change: Callable[[Any], object], values: Sequence[object]) -> float:
    started = time.process_time()
    for value in values:
        change(value)
    return time.process_time() - started


def _column(lines: str) -> Column:
    return parse_stream(f'name = "b"\ntable = "b"\n[columns.v]\n{lines}', "benchmark").columns[0]


def _value(column: Column, number: int) -> object:
    assert column.mask is not None, "every column is masked"
    kind = column.mask.name
    if kind.startswith("truncate:date"):
        return f"{2000 + number % 30}-{number % 12 + 1:02}-{number % 28 + 1:02}"
    if kind.startswith("truncate:number"):
        return number
    if column.type.name == "jsonb":
        return {"email": f"ann.{number}@example.com", "age": number, "is_new": True, "ip": _ip(number)}
    return _ip(number)


def _ip(number: int) -> str:
    return f"198.51.{number >> 8 & 255}.{number & 255}"


def _iban(number: int) -> str:
    account = f"37040044{number:010}"
    check = 98 - int(f"{account}131400") % 97  # DE is 1314
    return f"DE{check:02}{account}"
