"""Matrix products with one fixed order of additions, as LLVM micro-kernels called from compiled loops.

An element of `C = start + A B` is summed over k in order, one fused multiply-add for each k, beginning
with `start` (a bias, or zero). The bits depend neither on the width of the processor's vectors, which
only sets how many elements are computed at once, nor on alignment, blocking or a library.

Matrices are addresses and strides (`Matrix`), so slices and transposes cost nothing. Nothing here
checks bounds.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils

from ablation.numerics.compiled import compiled, intrinsic

DEPTH_BLOCK = 256
"""Terms added to a block of sums before the next block: its part of B stays in the nearest cache."""

I32, I64 = ir.IntType(32), ir.IntType(64)


class Matrix(NamedTuple):
    """A matrix in memory: the address of its first element, its shape, and strides in bytes."""

    address: int
    rows: int
    columns: int
    row_stride: int
    column_stride: int


NOTHING = Matrix(0, 0, 0, 0, 0)
"""No matrix."""


class TileShape(NamedTuple):
    """Rows of a tile, vectors in each, numbers in a vector: these set the speed, never the results."""

    rows: int
    vectors: int
    width: int


def tile_shape(features: str, bits: int) -> TileShape:
    """Return the tile that fills the vector registers of a processor with these LLVM features."""
    if "+avx512f" in features:
        return TileShape(8, 2, 512 // bits)
    return TileShape(6, 2, (256 if "+avx" in features else 128) // bits)


class Vectors:
    """Emits code for vectors of `width` numbers; addresses are integers."""

    def __init__(self, builder: Any, number: Any, width: int) -> None:
        self.builder, self.number, self.width = builder, number, width
        self.bytes = 8 if isinstance(number, ir.DoubleType) else 4
        self.type = ir.VectorType(number, width)
        self.used: Any = None

    def call(self, name: str, result: Any, *arguments: Any) -> Any:
        """Call an LLVM intrinsic of these vectors."""
        form = ir.FunctionType(result, [argument.type for argument in arguments])
        name = f"llvm.{name}.v{self.width}f{8 * self.bytes}" + (".p0" if "masked" in name else "")
        function = cgutils.get_or_insert_function(self.builder.module, form, name)
        return self.builder.call(function, arguments)

    def constant(self, value: float) -> Any:
        """Return a vector that repeats a constant."""
        return ir.Constant(self.type, [self.number(value)] * self.width)

    def spread(self, value: Any) -> Any:
        """Return a vector that repeats a value."""
        undefined = ir.Constant(ir.VectorType(value.type, self.width), ir.Undefined)
        one = self.builder.insert_element(undefined, value, I32(0))
        mask = ir.Constant(ir.VectorType(I32, self.width), [0] * self.width)
        return self.builder.shuffle_vector(one, undefined, mask)

    def use_first(self, count: Any) -> None:
        """From now on, load and store only the first `count` numbers of a vector."""
        numbers = ir.Constant(ir.VectorType(I64, self.width), list(range(self.width)))
        self.used = self.builder.icmp_signed("<", numbers, self.spread(count))

    def load(self, address: Any) -> Any:
        """Load a vector; numbers that are not used are 0."""
        pointer = self.builder.inttoptr(address, self.type.as_pointer())
        if self.used is None:
            return self.builder.load(pointer, align=self.bytes)
        arguments = pointer, I32(self.bytes), self.used, self.constant(0.0)
        return self.call("masked.load", self.type, *arguments)

    def store(self, value: Any, address: Any) -> None:
        """Store a vector."""
        pointer = self.builder.inttoptr(address, self.type.as_pointer())
        if self.used is None:
            self.builder.store(value, pointer, align=self.bytes)
        else:
            self.call("masked.store", ir.VoidType(), value, pointer, I32(self.bytes), self.used)


class _Tile(Vectors):
    """Emits the code of one tile; strides are in bytes."""

    def __init__(self, builder: Any, number: Any, shape: TileShape) -> None:
        super().__init__(builder, number, shape.width)
        self.shape = shape

    def emit(self, b: Matrix, others: list[Matrix], relu: Any) -> None:
        """Write a tile of C, given B, and A, C, start and gate from its first row on; see `product`."""
        a, c, start, gate = others
        begin = self.load_unless_null(start.address, start.row_stride, self.constant(0.0))
        sums = self.sums(a, b, begin)
        gates = self.load_unless_null(gate.address, gate.row_stride, self.constant(1.0))
        finished = self.finish(sums, relu, gates)
        for value, place in zip(finished, self.places(c.address, c.row_stride), strict=True):
            self.store(value, place)

    def places(self, address: Any, stride: Any) -> list[Any]:
        """Return the addresses of a tile's vectors, row by row."""
        places = []
        for row in range(self.shape.rows):
            first = self.builder.add(address, self.builder.mul(stride, I64(row)))
            for vector in range(self.shape.vectors):
                places.append(self.builder.add(first, I64(vector * self.width * self.bytes)))
        return places

    def load_unless_null(self, address: Any, stride: Any, otherwise: Any) -> list[Any]:
        """Return the vectors of a tile in memory, or `otherwise` for each if the address is 0."""
        before = self.builder.block
        with self.builder.if_then(self.builder.icmp_unsigned("!=", address, I64(0))):
            loaded = [self.load(place) for place in self.places(address, stride)]
            inside = self.builder.block
        joined = []
        for value in loaded:
            phi = self.builder.phi(self.type)
            phi.add_incoming(value, inside)
            phi.add_incoming(otherwise, before)
            joined.append(phi)
        return joined

    def sums(self, a: Matrix, b: Matrix, start: list[Any]) -> list[Any]:
        """Return `start` plus the products of A's columns with B's rows, in order."""
        builder, (rows, vectors, width) = self.builder, self.shape
        before, loop, done = builder.block, *(builder.append_basic_block(n) for n in ("loop", "done"))
        builder.branch(loop)
        builder.position_at_end(loop)
        counter, a_at, b_at = (builder.phi(I64) for _ in range(3))
        sums = [builder.phi(self.type) for _ in start]
        row_of_b = [self.load(builder.add(b_at, I64(v * width * self.bytes))) for v in range(vectors)]
        new = []
        for row in range(rows):
            place = builder.add(a_at, builder.mul(a.row_stride, I64(row)))
            one = self.spread(builder.load(builder.inttoptr(place, self.number.as_pointer())))
            for v in range(vectors):
                arguments = one, row_of_b[v], sums[row * vectors + v]
                new.append(self.call("fma", self.type, *arguments))
        following = (
            builder.sub(counter, I64(1)),
            builder.add(a_at, a.column_stride),
            builder.add(b_at, b.row_stride),
        )
        phis = (counter, a_at, b_at, *sums)
        for phi, first, later in zip(
            phis, (a.columns, a.address, b.address, *start), (*following, *new), strict=True
        ):
            phi.add_incoming(first, before)
            phi.add_incoming(later, loop)
        builder.cbranch(builder.icmp_signed(">", following[0], I64(0)), loop, done)
        builder.position_at_end(done)
        return new

    def finish(self, sums: list[Any], relu: Any, gates: list[Any]) -> list[Any]:
        """Return sums, at least 0 with `relu`, and 0 where a gate is not positive; NaN stays NaN."""
        builder, number, zero = self.builder, self.number, self.constant(0.0)
        lowest = self.spread(builder.select(relu, number(0.0), number(-math.inf)))
        raised = [builder.select(builder.fcmp_ordered("<", one, lowest), lowest, one) for one in sums]
        shut = [builder.fcmp_ordered("<=", gate, zero) for gate in gates]
        return [builder.select(s, zero, one) for s, one in zip(shut, raised, strict=True)]


def _make_panel(rows: int | None, vectors: int | None, width: int | None) -> Any:
    """Return what writes some columns of C: tiles of so many rows at most. None: as `tile_shape` has it.

    A panel of one vector has as many columns as C, others as many as fit their vectors.
    """

    @intrinsic
    def panel(
        typingctx: Any, a: Any, b: Any, c: Any, start: Any, gate: Any, relu: Any, number: Any
    ) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            a, b, c, start, gate = (Matrix(*cgutils.unpack_tuple(builder, one)) for one in arguments[:5])
            shape = tile_shape(context.codegen()._tm_features, signature.args[-1].bitwidth)
            shape = TileShape(rows or shape.rows, vectors or shape.vectors, width or shape.width)
            row = cgutils.alloca_once_value(builder, I64(0))
            for size in sorted({shape.rows, 4, 2, 1} - {*range(shape.rows + 1, 5)}, reverse=True):
                check, body, after = (builder.append_basic_block(n) for n in ("check", "body", "after"))
                builder.branch(check)
                builder.position_at_end(check)
                end = builder.add(builder.load(row), I64(size))
                builder.cbranch(builder.icmp_signed("<=", end, c.rows), body, after)
                builder.position_at_end(body)
                tile = _Tile(builder, arguments[-1].type, shape._replace(rows=size))
                if vectors == 1:
                    tile.use_first(c.columns)
                here = [_from_row(builder, one, builder.load(row)) for one in (a, c, start, gate)]
                tile.emit(b, here, arguments[5])
                builder.store(end, row)
                builder.branch(check)
                builder.position_at_end(after)
            return context.get_dummy_value()

        return types.void(a, b, c, start, gate, relu, number), codegen

    return panel


def _from_row(builder: Any, matrix: Matrix, row: Any) -> Matrix:
    address = builder.add(matrix.address, builder.mul(matrix.row_stride, row))
    return matrix._replace(address=address)


_WHOLE, _FEW_ROWS = _make_panel(None, None, None), _make_panel(2, 4, None)
_EDGE, _NARROW = _make_panel(None, 1, None), _make_panel(None, 1, 4)


@intrinsic
def _tile_shape(typingctx: Any, number: Any) -> Any:
    """Return `tile_shape` of the processor that is compiled for, for numbers of this type."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        shape = tile_shape(context.codegen()._tm_features, signature.args[0].bitwidth)
        return context.make_tuple(builder, signature.return_type, [I64(part) for part in shape])

    return types.UniTuple(types.intp, 3)(number), codegen


@compiled
def transposed(matrix: Matrix) -> Matrix:
    """Return the same numbers as the transpose of a matrix; nothing is copied."""
    strides = matrix.column_stride, matrix.row_stride
    return Matrix(matrix.address, matrix.columns, matrix.rows, *strides)


@compiled
def repeated(row: Matrix, rows: int) -> Matrix:
    """Return a matrix of one row as one that repeats it; nothing is copied."""
    return Matrix(row.address, rows, row.columns, 0, row.column_stride)


@compiled
def block(matrix: Matrix, row: int, column: int, rows: int, columns: int) -> Matrix:
    """Return the block `[rows, columns]` of a matrix that begins at an element; of NOTHING, nothing."""
    address = matrix.address + row * matrix.row_stride + column * matrix.column_stride
    # NOTHING has no strides, so its blocks are at 0 too.
    return Matrix(address, rows, columns, matrix.row_stride, matrix.column_stride)


@compiled
def product(
    a: Matrix, b: Matrix, c: Matrix, start: Matrix, gate: Matrix, relu: bool, number: float
) -> None:
    """Write `start + A B` to C: at least 0 with `relu`, 0 where `gate` is not positive.

    A is `[m, k]` with any strides; rows of B `[k, n]`, and of the others `[m, n]`, are contiguous. A
    row stride of 0 makes a bias of `start`; `NOTHING` is a start of zeros and a gate that is open.
    All hold numbers of the type of `number`, float32 or float64.
    """
    _, vectors, width = _tile_shape(number)
    whole = vectors * width
    for first in range(0, a.columns, DEPTH_BLOCK):
        depth = min(DEPTH_BLOCK, a.columns - first)
        last = first + depth == a.columns
        column = 0
        while column < c.columns:
            left = c.columns - column
            # With few rows, more vectors: enough sums at once to fill the time that each addition takes.
            long = c.rows < 4 and left >= 4 * width
            count = 4 * width if long else whole if left >= whole else min(width, left)
            part = (
                block(a, 0, first, c.rows, depth),
                block(b, first, column, depth, count),
                block(c, 0, column, c.rows, count),
                # Later terms go on from the sums in C.
                block(start if first == 0 else c, 0, column, c.rows, count),
                block(gate, 0, column, c.rows, count) if last else NOTHING,
                relu and last,
                number,
            )
            if long:
                _FEW_ROWS(*part)
            elif count == whole:
                _WHOLE(*part)
            elif count > 4:
                _EDGE(*part)
            else:
                _NARROW(*part)
            column += count


@intrinsic
def _clear_number(typingctx: Any, address: Any, gate: Any, number: Any) -> Any:
    """Overwrite a number by 0 where the number at another address is at most 0."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = arguments[2].type
        place, gate = (builder.inttoptr(one, kind.as_pointer()) for one in arguments[:2])
        closed = builder.fcmp_ordered("<=", builder.load(gate), kind(0.0))
        # A choice and a store always, not a store at times: so LLVM takes many at once.
        builder.store(builder.select(closed, kind(0.0), builder.load(place)), place)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, number), codegen


@compiled
def clear_where_not_positive(matrix: Matrix, gate: Matrix, number: float) -> None:
    """Overwrite a matrix by 0 where another one is not positive; both are contiguous."""
    for place in range(matrix.rows * matrix.columns):
        offset = place * matrix.column_stride
        _clear_number(matrix.address + offset, gate.address + offset, number)
