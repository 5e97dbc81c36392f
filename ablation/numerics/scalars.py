"""What compiled loops over plain numbers need beside Python's operators."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

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


@intrinsic
def prefetch(typingctx: Any, address: Any) -> Any:
    """Ask the processor to load the cache line at an address, which need not be a valid one."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        i32 = ir.IntType(32)
        pointer = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
        form = ir.FunctionType(ir.VoidType(), [pointer.type, i32, i32, i32])
        function = cgutils.get_or_insert_function(builder.module, form, "llvm.prefetch.p0")
        read, keep, data = i32(0), i32(2), i32(1)
        builder.call(function, [pointer, read, keep, data])
        return context.get_dummy_value()

    return types.void(types.intp), codegen
