"""The checks of a column's mask: that there is one or a reason for none, and that the type can hold its tokens."""

from __future__ import annotations

from maskline.masks.padding import MAX_PAD
from maskline.masks.truncate import TruncatedKind, Truncation, has_whole_bucket
from maskline.streams.column_keys import ColumnFile
from maskline.streams.column_types import NUMBER_TYPES, ColumnType
from maskline.streams.masks import Mask, Method
from maskline.streams.paths import Path

_MASKED_PREFIX = "masked_"
_INTEGERS = frozenset({"smallint", "integer", "bigint"})
_TYPES_OF_KIND: dict[TruncatedKind, frozenset[str]] = {
    "ip": frozenset({"varchar", "text", "inet"}),
    "date": frozenset({"varchar", "text", "date", "timestamptz"}),
    "number": NUMBER_TYPES,
    "keep": frozenset({"varchar", "text"}),
}


def checked_mask(name: str, file: ColumnFile, column_type: ColumnType) -> Mask | None:
    """Return the mask of a column, or None where the file says that it is stored in clear.

    Args:
        name: The column's name.
        file: What the file says.
        column_type: Its type.

    Raises:
        ValueError: The file does not say what becomes of values, says two things, or the type does not fit.
    """
    mask = _mask(file)
    is_restricted = file.values is not None or file.pattern is not None
    if mask is None:
        if name.startswith(_MASKED_PREFIX):
            raise ValueError(
                f'a column whose name begins with {_MASKED_PREFIX} holds tokens; write mask = "deterministic", or give '
                "it another name"
            )
        if isinstance(file.clear, list):
            raise ValueError('clear = […] goes with mask = "leaves"; write that, too, or clear = true')
        if column_type.is_free and not file.clear and not is_restricted:
            raise ValueError(_undecided(column_type))
        if column_type.name == "char":
            raise ValueError("char(n) fills up with blanks, so only a hash goes into it; write varchar(n)")
        return None
    if is_restricted or file.clear is True or (file.clear and mask.method is not Method.LEAVES):
        raise ValueError(
            "is masked, and clear, values and pattern are for columns in clear; leave one or the other out"
        )
    _check_type(mask, column_type)
    return mask


def checked_clear_paths(file: ColumnFile, mask: Mask | None) -> tuple[Path, ...]:
    """Return what stays in clear of a document whose leaves are masked.

    Args:
        file: What the file says.
        mask: The column's mask.

    Raises:
        ValueError: One is no path, or is the whole document.
    """
    if mask is None or mask.method is not Method.LEAVES or not isinstance(file.clear, list):
        return ()
    paths = []
    for text in file.clear:
        try:
            path = Path.parse(text)
        except ValueError as error:
            raise ValueError(f"clear: {error}") from None
        if not path.steps:
            raise ValueError('clear: "." is the whole document; write clear = true in place of the mask')
        paths.append(path)
    return tuple(paths)


def _mask(file: ColumnFile) -> Mask | None:
    if file.pad is not None and not 1 <= file.pad <= MAX_PAD:
        raise ValueError(f"pad is a number of bytes from 1 to {MAX_PAD}, 16 say")
    if file.mask is not None:
        return Mask.parse(file.mask, file.pad)
    if file.pii:
        return Mask.parse(Method.DETERMINISTIC, file.pad)
    if file.pad is not None:
        raise ValueError("pad goes with a mask")
    return None


def _check_type(mask: Mask, column_type: ColumnType) -> None:
    if mask.method is Method.LEAVES:
        if column_type.name != "jsonb":
            raise ValueError('mask "leaves" masks what is in a document; its type is jsonb')
        return
    if mask.method is Method.TRUNCATE:
        _check_truncated_type(mask, mask.truncation, column_type)
        return
    if column_type.name == "jsonb":
        raise ValueError('a document is masked by its leaves; write mask = "leaves"')
    if not column_type.is_text:
        raise ValueError("a masked column holds tokens, so its type is varchar(n) or text, or an array of one of them")
    if column_type.name == "char" and (
        mask.method is not Method.HASH or column_type.max_length != mask.stored_length(0)
    ):
        raise ValueError("char(n) fills up with blanks, so only a hash goes into it, char(22); write varchar(n)")


def _check_truncated_type(mask: Mask, truncation: Truncation, column_type: ColumnType) -> None:
    allowed = _TYPES_OF_KIND[truncation.kind]
    if column_type.name not in allowed:
        raise ValueError(f"mask {mask.name!r} goes into a column of one of the types {', '.join(sorted(allowed))}")
    if column_type.name in _INTEGERS and not has_whole_bucket(truncation):
        raise ValueError(f"mask {mask.name!r} makes fractions; write a whole number, or make the type numeric")


def _undecided(column_type: ColumnType) -> str:
    if column_type.name == "jsonb":
        return (
            'a document can hold personal data, so it says what becomes of it: mask = "leaves" to make tokens of what '
            'is in it (clear = ["a.path"] for what is not), or clear = true to store it as it is'
        )
    if not column_type.is_text:
        return (
            f"a column of type {column_type.declaration} can hold personal data, and such a type is stored in clear; "
            'write clear = true, or make it a text with mask = "deterministic"'
        )
    return (
        'holds text, so it says what becomes of it: mask = "deterministic" (or pii = true) for personal data, '
        'clear = true for anything else, or what it may hold, values = ["…"] or pattern = "…"'
    )
