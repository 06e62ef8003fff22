"""Short stretches of a table in a handful of vector instructions, without a loop and so without mispredicted branches.

A compiler turns a loop over 9 or 27 entries into as many scalar steps, and one over "as many entries as it takes" into
a guess of the processor. The functions here read a fixed number of neighbouring entries at once. They are generic LLVM
vectors, which every target has; where kernels run as plain Python, plain Python stands in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

_I16, _I32, _I64 = (ir.IntType(n) for n in (16, 32, 64))


def _address(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """Return a pointer to entry `args[1]` of the C-ordered table `args[0]`; indices are not negative."""
    table_type, index_type = signature.args[:2]
    table = context.make_array(table_type)(context, builder, args[0])
    index = [
        context.cast(builder, value, kind, types.intp)
        for value, kind in zip(cgutils.unpack_tuple(builder, args[1]), index_type, strict=True)
    ]
    return cgutils.get_item_pointer(context, builder, table_type, table, index, wraparound=False)


def _load(builder: Any, address: Any, lanes: int) -> Any:
    """Read `lanes` neighbours."""
    vector = ir.VectorType(address.type.pointee, lanes)
    return builder.load(builder.bitcast(address, vector.as_pointer()), align=2)


def _repeat(builder: Any, value: Any, lanes: int) -> Any:
    """Return a vector of equal values."""
    nothing = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_I32, lanes), None))


def _reduce(builder: Any, name: str, vector: Any, flags: tuple[str, ...] = ()) -> Any:
    """Fold the lanes of a vector into one by `llvm.vector.reduce.<name>`."""
    kind = vector.type
    suffix = f"v{kind.count}{'f32' if isinstance(kind.element, ir.FloatType) else f'i{kind.element.width}'}"
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind.element, [kind]), f"llvm.vector.reduce.{name}.{suffix}"
    )
    return builder.call(function, [vector], fastmath=flags)


def _mask(builder: Any, lanes: Any) -> Any:
    """Turn a vector of bits into an integer of 64 bits, lane 0 lowest."""
    return builder.zext(builder.bitcast(lanes, ir.IntType(lanes.type.count)), _I64)


def _emit_largest(typing_context: Any, table: Any, index: Any, size: Any) -> Any:
    if not isinstance(size, types.IntegerLiteral):
        return None
    count = int(size.literal_value)
    lanes = 1 << (count.bit_length() - 1)  # two overlapping vectors cover every size

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = _address(context, builder, signature, args)
        head = _load(builder, address, lanes)
        tail = _load(builder, builder.gep(address, [ir.Constant(_I64, count - lanes)]), lanes)
        larger = builder.select(builder.fcmp_ordered(">", head, tail), head, tail)
        top = _repeat(builder, _reduce(builder, "fmax", larger, ("nnan",)), lanes)
        first = _mask(builder, builder.fcmp_ordered("==", head, top))
        second = _mask(builder, builder.fcmp_ordered("==", tail, top))
        return builder.or_(first, builder.shl(second, ir.Constant(_I64, count - lanes)))

    return types.uint64(table, index, size), build


def _emit_scale(typing_context: Any, table: Any, index: Any, size: Any, factor: Any, extra: Any, least: Any) -> Any:
    if not isinstance(size, types.IntegerLiteral):
        return None
    count = int(size.literal_value)
    lanes = 1 << (count.bit_length() - 1)

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = _address(context, builder, signature, args)
        factors, extras, floor = (_repeat(builder, value, lanes) for value in args[3:])
        changed = []
        for start in (0, count - lanes):  # read both before either is written: they overlap
            place = builder.gep(address, [ir.Constant(_I64, start)])
            value = builder.fadd(builder.fmul(_load(builder, place, lanes), factors), extras)
            changed.append((place, builder.select(builder.fcmp_ordered(">", value, floor), value, floor)))
        for place, value in changed:
            builder.store(value, builder.bitcast(place, value.type.as_pointer()), align=2)
        return context.get_dummy_value()

    return types.void(table, index, size, types.float32, types.float32, types.float32), build


def _emit_filled(typing_context: Any, table: Any, index: Any, size: Any) -> Any:
    if not isinstance(size, types.IntegerLiteral):
        return None
    lanes = int(size.literal_value)

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = _load(builder, _address(context, builder, signature, args), lanes)
        return _mask(builder, builder.icmp_signed("!=", values, ir.Constant(values.type, None)))

    return types.uint64(table, index, size), build


def _emitting_compared(relation: str) -> Callable[..., Any]:
    def emit(typing_context: Any, table: Any, index: Any, size: Any, x: Any) -> Any:
        if not isinstance(size, types.IntegerLiteral):
            return None
        lanes = int(size.literal_value)

        def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            values = _load(builder, _address(context, builder, signature, args), lanes)
            return _mask(builder, builder.icmp_signed(relation, values, _repeat(builder, args[3], lanes)))

        return types.uint64(table, index, size, types.int16), build

    return emit


def _emit_sum_before(typing_context: Any, table: Any, index: Any, size: Any, count: Any) -> Any:
    if not isinstance(size, types.IntegerLiteral):
        return None
    lanes = int(size.literal_value)

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = _load(builder, _address(context, builder, signature, args), lanes)
        places = ir.Constant(values.type, list(range(lanes)))
        inside = builder.icmp_signed("<", places, _repeat(builder, builder.trunc(args[3], _I16), lanes))
        kept = builder.select(inside, values, ir.Constant(values.type, None))
        wide = builder.sext(kept, ir.VectorType(_I32, lanes))
        return builder.sext(_reduce(builder, "add", wide), _I64)

    return types.int64(table, index, size, types.int64), build


def _emit_bits_set(typing_context: Any, mask: Any) -> Any:
    return types.int64(types.uint64), lambda context, builder, signature, args: builder.ctpop(args[0])


def _emit_lowest(typing_context: Any, mask: Any) -> Any:
    no = ir.Constant(ir.IntType(1), 0)
    return types.int64(types.uint64), lambda context, builder, signature, args: builder.cttz(args[0], no)


def _emit_highest(typing_context: Any, mask: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.sub(ir.Constant(_I64, 63), builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0)))

    return types.int64(types.uint64), build


def _kernel(emit: Callable[..., Any], plain: Callable[..., Any], doc: str, literal: bool = True) -> Any:
    chosen = plain if config.DISABLE_JIT else intrinsic(prefer_literal=literal)(emit)
    chosen.__doc__ = doc
    return chosen


def _stretch(table: Any, index: Any, size: int) -> Any:
    return table[index[:-1]][index[-1] : index[-1] + size]


def _plain_mask(flags: Any) -> np.uint64:
    return np.uint64(sum(1 << k for k, flag in enumerate(flags) if flag))


def _plain_scale(table: Any, index: Any, size: int, factor: Any, extra: Any, least: Any) -> None:
    stretch = _stretch(table, index, size)
    stretch[:] = np.maximum(stretch * factor + extra, least)


largest_of: Any = _kernel(
    _emit_largest,
    lambda table, index, size: _plain_mask(_stretch(table, index, size) == _stretch(table, index, size).max()),
    "Return which of `size` float32 from `index` on equal the largest, as bits; `size` is a constant below 64.",
)
scale: Any = _kernel(
    _emit_scale,
    _plain_scale,
    "Replace each of `size` float32 x from `index` on by max(x * factor + extra, least); `size` is a constant.",
)
filled: Any = _kernel(
    _emit_filled,
    lambda table, index, size: _plain_mask(_stretch(table, index, size) != 0),
    "Return which of `size` integers from `index` on are not 0, as bits; `size` is a constant power of 2 up to 64.",
)
below: Any = _kernel(
    _emitting_compared("<"),
    lambda table, index, size, x: _plain_mask(_stretch(table, index, size) < x),
    "Return which of `size` int16 from `index` on are below x, as bits; `size` is a constant power of 2 up to 64.",
)
at_most: Any = _kernel(
    _emitting_compared("<="),
    lambda table, index, size, x: _plain_mask(_stretch(table, index, size) <= x),
    "Return which of `size` int16 from `index` on are not larger than x, as bits; `size` likewise.",
)
sum_before: Any = _kernel(
    _emit_sum_before,
    lambda table, index, size, count: int(_stretch(table, index, size)[:count].sum()),
    "Return the sum of the first `count` of `size` int16 from `index` on; `size` is a constant power of 2.",
)
bits_set: Any = _kernel(_emit_bits_set, lambda mask: int(mask).bit_count(), "Return how many bits are set.", False)
lowest: Any = _kernel(
    _emit_lowest, lambda mask: (int(mask) & -int(mask)).bit_length() - 1, "Return the place of the lowest bit.", False
)
highest: Any = _kernel(_emit_highest, lambda mask: int(mask).bit_length() - 1, "Return the highest bit's place.", False)
