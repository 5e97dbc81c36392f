"""What compiled loops over plain numbers need beside Python's operators."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from ablation.numerics.compiled import intrinsic


@intrinsic
def fma(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
    """Return `x * y + z` of numbers of one floating-point type, rounded once on every processor."""
    if not (x == y == z and isinstance(x, types.Float)):
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return x(x, x, x), codegen


@intrinsic
def address_of(typingctx: Any, array: Any) -> Any:
    """Return the address of an array's first element."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.intp(array), codegen
