"""Arrays without reference counts, for the inside of long compiled calls.

Numba counts references of every array that is handed to a helper with a loop in it, with an atomic instruction each;
in kernels that call such helpers per agent this is a sixth of the time. `borrowed` returns the same arrays with their
owner left out, so counting becomes a test against null. The caller of the outermost kernel keeps the owners alive.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def _without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        array.parent = cgutils.get_null_value(array.parent.type)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        for n, part in enumerate(kind):
            stripped = _without_owner(context, builder, part, builder.extract_value(value, n))
            value = builder.insert_value(value, stripped, n)
    return value


@intrinsic
def borrowed(typing_context: Any, value: Any) -> Any:
    """Return an array, or a (named) tuple of arrays and scalars, whose arrays own nothing."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> ir.Value:
        return _without_owner(context, builder, signature.args[0], arguments[0])

    return value(value), generate
