"""Tidy tables (a row per run and step, or per run): which column is what, and its values as numbers."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ablation.results.outside.request import Argument, ImportRefused, Request
from ablation.results.outside.rows import EPISODE, RETURN, STEP, Labels, RowTable
from ablation.results.scores import SCORES

if TYPE_CHECKING:
    import pyarrow

RECOGNIZED: dict[str, tuple[str, ...]] = {
    "arm": ("arm", "algorithm", "algo", "variant", "method", "agent", "exp_name"),
    "seed": ("seed", "run_seed", "random_seed"),
    "environment": ("environment", "env", "env_id", "env_name", "task", "game"),
    STEP: ("env_step", "env_steps", "step", "steps", "global_step", "timestep", "timesteps",
           "total_timesteps", "environment_steps"),
    "gradient_step": ("gradient_step", "gradient_steps", "n_updates", "updates"),
    RETURN: ("episode_return", "return", "returns", "episodic_return", "eval_return", "mean_return",
             "mean_reward", "ep_rew_mean", "episode_reward", "score"),
    "episode_length": ("episode_length", "length", "ep_len", "episodic_length", "ep_length"),
    EPISODE: ("episode", "eval_episode", "episode_number"),
}  # fmt: skip
"""Names of columns by what they hold, in lower case, with `_` for spaces, `-`, `.` and `/`."""

_WHOLE = {STEP, "gradient_step", "episode_length", EPISODE}


def read_csv(path: Path, request: Request) -> RowTable:
    """Return the rows of a CSV file with a line of headings."""
    import pyarrow
    from pyarrow import csv

    options = csv.ConvertOptions(auto_dict_encode=True, auto_dict_max_cardinality=100_000)
    try:
        return read_tidy(csv.read_csv(path, convert_options=options), request, path.name)
    except pyarrow.ArrowInvalid as error:
        raise ImportRefused(f"{path.name} is no CSV file: {_first_line(error)}") from None


def read_parquet(path: Path, request: Request) -> RowTable:
    """Return the rows of a Parquet file."""
    import pyarrow
    import pyarrow.parquet

    try:
        return read_tidy(pyarrow.parquet.read_table(path, partitioning=None), request, path.name)
    except pyarrow.ArrowInvalid as error:
        raise ImportRefused(f"{path.name} is no Parquet file: {_first_line(error)}") from None


def read_tidy(table: pyarrow.Table, request: Request, name: str) -> RowTable:
    """Return a table's rows; `name` is what messages call it. Its columns are named or recognized."""
    if not table.num_rows:
        raise ImportRefused(f"{name} has no rows")
    of = recognize(table.column_names, request, name)
    labels = {factor: _labels(table, column, name) for factor, column in _label_columns(of, request)}
    for key, given in (
        ("arm", request.arm),
        ("environment", request.environment),
        ("seed", request.seed),
    ):
        if key not in labels and given is not None and not (key == "arm" and request.factors):
            labels[key] = Labels.constant(str(given), table.num_rows)
    _require_labels(labels, request, table.column_names, name)
    scores = [column for column in table.column_names if column in SCORES]
    if STEP in of:
        needed = {RETURN: RETURN, **{key: key for key in of if key in {*_WHOLE, RETURN}}}
        if RETURN not in of:
            raise ImportRefused(*_no_column(RETURN, table.column_names, name))
        numbers = {key: _numbers(table, of[key], key in _WHOLE, name) for key in needed}
        return RowTable(request.rows or "evaluations", labels, numbers)
    columns = _score_columns(of, scores, request, table.column_names, name)
    return RowTable("scores", labels, {s: _numbers(table, c, False, name) for s, c in columns.items()})


def recognize(names: list[str], request: Request, name: str) -> dict[str, str]:
    """Return the table's column of each of our names; refuses one that two columns could be."""
    of: dict[str, str] = {}
    twice = [column for column, count in Counter(names).items() if count > 1]
    if twice:
        raise ImportRefused(f"{name} has more than one column '{twice[0]}'")
    for key, column in request.columns.items():
        if key not in RECOGNIZED:
            given = Argument("columns", column, key)
            raise ImportRefused(given, f": our columns are {', '.join(RECOGNIZED)}")
        if column not in names:
            raise ImportRefused(f"{name} has no column '{column}'{_nearest(column, names)}")
        of[key] = column
    taken = {*of.values(), *request.factors}
    for key, known in RECOGNIZED.items():
        matches = [column for column in names if plain(column) in known and column not in taken]
        if key in of or (key == "arm" and request.factors):
            continue
        if len(matches) > 1:
            both = " or ".join(f"'{column}'" for column in matches)
            raise ImportRefused(
                f"{name}: {key} could be {both}; say which: ", Argument("columns", matches[0], key)
            )
        if matches:
            of[key] = matches[0]
    return of


def plain(column: str) -> str:
    """Return a column's name in lower case, with `_` for what separates words."""
    return "".join("_" if letter in " -./" else letter for letter in column.strip().lower())


def _label_columns(of: Mapping[str, str], request: Request) -> list[tuple[str, str]]:
    arms = [(factor, factor) for factor in request.factors]
    keys = ("environment", "seed") if arms else ("arm", "environment", "seed")
    return arms + [(key, of[key]) for key in keys if key in of]


def _require_labels(labels: Mapping[str, Labels], request: Request, names: list[str], name: str) -> None:
    if not request.factors and "arm" not in labels:
        factors, arm = Argument("factors", "COLUMN", several=True), Argument("arm", "NAME")
        raise ImportRefused(*_no_column("arm", names, name), ", ", factors, ", or ", arm, " for all")
    for key, value in (("environment", "ID"), ("seed", "N")):
        if key not in labels:
            raise ImportRefused(
                *_no_column(key, names, name), ", or ", Argument(key, value), " for all rows"
            )


def _score_columns(
    of: Mapping[str, str], scores: list[str], request: Request, names: list[str], name: str
) -> dict[str, str]:
    """Return the column of each score in a table that has a row per run."""
    if RETURN in of and request.score is not None:
        return {request.score: of[RETURN]}
    if scores:
        return {score: score for score in scores}
    if RETURN in of:
        raise ImportRefused(
            f"{name} has no steps, so '{of[RETURN]}' is a score of each run; say which: ",
            Argument("score"),
            f" {' | '.join(SCORES)}",
        )
    raise ImportRefused(*_no_column(STEP, names, name))


def _labels(table: pyarrow.Table, column: str, name: str) -> Labels:
    if column not in table.column_names:
        raise ImportRefused(f"{name} has no column '{column}'{_nearest(column, table.column_names)}")
    values = table[column]
    if values.null_count:
        raise ImportRefused(f"{name}: column '{column}' has {values.null_count} empty cells")
    kind = values.type.value_type if _is_dictionary(values) else values.type
    if not _names_runs(kind):
        raise ImportRefused(f"{name}: column '{column}' is {kind}; text (UTF-8) or numbers name runs")
    if not _is_dictionary(values):
        values = values.dictionary_encode()
    values = values.unify_dictionaries().combine_chunks()
    # A table of one chunk stays chunked in some versions.
    array = values.chunk(0) if hasattr(values, "chunk") else values
    texts = [_text(value) for value in array.dictionary.to_pylist()]
    return Labels(texts, array.indices.to_numpy(zero_copy_only=False).astype(np.int64))


def _text(value: object) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)  # type: ignore[call-overload]


def _names_runs(kind: Any) -> bool:
    """Return whether values of a type can be labels; text that is not UTF-8 comes as binary."""
    from pyarrow import types

    return bool(
        types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
        or types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    )  # fmt: skip


def _is_dictionary(column: Any) -> bool:
    import pyarrow

    return bool(pyarrow.types.is_dictionary(column.type))


def _numbers(table: pyarrow.Table, column: str, whole: bool, name: str) -> Any:
    """Return a column as numbers, NaN where empty; whole ones as integers."""
    import pyarrow

    values = table[column]
    kind = values.type
    if pyarrow.types.is_dictionary(kind) or not (
        pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_null(kind)
    ):
        raise ImportRefused(f"{name}: {_first_text(values, column)}; numbers without a unit are needed")
    numbers = values.to_numpy().astype(np.float64, copy=False)
    if not whole:
        return numbers
    if pyarrow.types.is_integer(kind) and not values.null_count:
        return values.to_numpy().astype(np.int64, copy=False)
    # Beyond 2^53 a float is no longer one whole number.
    wrong = np.flatnonzero(~((np.abs(numbers) <= 2**53) & (numbers == np.floor(numbers))))
    if len(wrong):
        at = int(wrong[0])
        raise ImportRefused(
            f"{name}: column '{column}' is {numbers[at]} in row {at + 1}; whole numbers up to 2^53 count"
        )
    return numbers.astype(np.int64)


def _first_text(values: Any, column: str) -> str:
    """Return where a column that should hold numbers first has something else."""
    for at, value in enumerate(values.to_pylist()):
        try:
            float(value)
        except (TypeError, ValueError):
            return f"column '{column}' is {value!r} in row {at + 1}"
    return f"column '{column}' holds text"


def _no_column(key: str, names: list[str], name: str) -> tuple[str, Argument]:
    """Return what a refusal says of a column that is missing."""
    nearest = difflib.get_close_matches(key, [plain(column) for column in names], 3, 0.4)
    near = [column for column in names if plain(column) in nearest]
    there = f"nearest: {', '.join(near)}" if near else f"there are: {', '.join(names[:12])}"
    text = f"{name} has no column for {key} ({there}); name it with "
    return text, Argument("columns", "COLUMN", key)


def _nearest(column: str, names: list[str]) -> str:
    near = difflib.get_close_matches(column, names, 3, 0.4)
    return f"; nearest: {', '.join(near)}" if near else f"; there are: {', '.join(names[:12])}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
