"""Ask the processor to fetch memory before a kernel needs it; results never change, only waiting time does."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

_READ_AND_WRITE, _KEEP_IN_ALL_CACHES, _DATA = 1, 3, 1


def _emit_prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Type and build `prefetch(array, index)`: one `llvm.prefetch` on the element's address, unchecked."""
    signature = types.void(array, index)

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array_type, index_type = signature.args
        view = context.make_array(array_type)(context, builder, args[0])
        at = [
            context.cast(builder, value, kind, types.intp)
            for value, kind in zip(cgutils.unpack_tuple(builder, args[1]), index_type, strict=True)
        ]
        address = cgutils.get_item_pointer(context, builder, array_type, view, at, wraparound=False)
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, word, word, word]), "llvm.prefetch.p0"
        )
        hints = [ir.Constant(word, n) for n in (_READ_AND_WRITE, _KEEP_IN_ALL_CACHES, _DATA)]
        builder.call(function, [builder.bitcast(address, byte), *hints])
        return context.get_dummy_value()

    return signature, build


def _do_nothing(array: Any, index: Any) -> None:
    """Stand in for `prefetch` where kernels run as plain Python."""


prefetch: Any = _do_nothing if config.DISABLE_JIT else intrinsic(_emit_prefetch)
