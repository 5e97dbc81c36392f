"""Copies of transposed matrices, in blocks of 8 x 8 that stay in vector registers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from ablation.numerics.compiled import compiled, intrinsic
from ablation.numerics.products import I32, I64, Matrix, Vectors

SIDE = 8
_ROW_PAIRS = ((0, 8, 1, 9, 4, 12, 5, 13), (2, 10, 3, 11, 6, 14, 7, 15))
"""Of two vectors, the numbers of their even and of their odd pairs, alternately, half by half."""
_COLUMNS = ((0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15))


@intrinsic
def _transpose_block(
    typingctx: Any, source: Any, source_row: Any, target: Any, target_row: Any, number: Any
) -> Any:
    """Write the transpose of a block of 8 x 8; addresses and the bytes between rows."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, source_row, target, target_row, number = arguments
        halves = Vectors(builder, number.type, SIDE // 2)

        def half(row: int, part: int) -> Any:
            address = builder.add(source, builder.mul(source_row, I64(row)))
            return halves.load(builder.add(address, I64(part * 4 * halves.bytes)))

        def shuffled(left: Any, right: Any, places: Any) -> Any:
            mask = ir.Constant(ir.VectorType(I32, SIDE), list(places))
            return builder.shuffle_vector(left, right, mask)

        columns = []
        for part in (0, 1):
            # Rows i and i + 4 side by side: then both 4 x 4 blocks are transposed at once.
            rows = [shuffled(half(row, part), half(row + 4, part), range(SIDE)) for row in range(4)]
            pairs = [shuffled(rows[i], rows[i + 1], places) for i in (0, 2) for places in _ROW_PAIRS]
            columns += [shuffled(pairs[i], pairs[i + 2], places) for i in (0, 1) for places in _COLUMNS]
        for row, value in enumerate(columns):
            address = builder.add(target, builder.mul(target_row, I64(row)))
            Vectors(builder, number.type, SIDE).store(value, address)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4, number), codegen


@intrinsic
def _copy(typingctx: Any, source: Any, target: Any, number: Any) -> Any:
    """Copy one number from an address to another."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = arguments[2].type.as_pointer()
        source, target = (builder.inttoptr(address, kind) for address in arguments[:2])
        builder.store(builder.load(source), target)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, number), codegen


@compiled
def transpose(source: Matrix, target: Matrix, number: float) -> None:
    """Write the transpose of `source [m, n]` to `target [n, m]`; rows of both are contiguous."""
    size = source.column_stride
    rows, columns = source.rows // SIDE * SIDE, source.columns // SIDE * SIDE
    # Along the longer rows: lines whole strides apart would push one another out of the near cache.
    downwards = source.row_stride < target.row_stride
    for outer in range(0, columns if downwards else rows, SIDE):
        for inner in range(0, rows if downwards else columns, SIDE):
            row, column = (inner, outer) if downwards else (outer, inner)
            _transpose_block(
                source.address + row * source.row_stride + column * size,
                source.row_stride,
                target.address + column * target.row_stride + row * size,
                target.row_stride,
                number,
            )
    _transpose_edge(source, target, 0, rows, columns, number)
    _transpose_edge(source, target, rows, source.rows, 0, number)


@compiled
def _transpose_edge(
    source: Matrix, target: Matrix, first_row: int, end_row: int, first_column: int, number: float
) -> None:
    """Transpose rows of `source` from a column on, number by number."""
    for column in range(first_column, source.columns):
        for row in range(first_row, end_row):
            _copy(
                source.address + row * source.row_stride + column * source.column_stride,
                target.address + column * target.row_stride + row * target.column_stride,
                number,
            )
