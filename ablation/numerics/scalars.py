"""What compiled loops over plain numbers need beside Python's operators."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def fma(typingctx: Any, x: Any, y: Any, z: Any) -> Any:  # noqa: ARG001
    """Return `x * y + z` of numbers of one floating-point type, rounded once on every processor."""
    if not (x == y == z and isinstance(x, types.Float)):
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.fma(*arguments)

    return x(x, x, x), codegen


@intrinsic
def address_of(typingctx: Any, array: Any) -> Any:  # noqa: ARG001
    """Return the address of an array's first element."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.intp(array), codegen
