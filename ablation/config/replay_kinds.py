"""The kinds of replay: all that configuration, identity, memory plan and training need of each.

Adding one takes a file with its sampler, a file in `conf/replay/` and an entry here. Planning reads
this table and imports neither NumPy nor PyTorch for it; only workers import the samplers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

from ablation.config.registry import Registry
from ablation.config.schema import CellConfig, ReplayConfig
from ablation.config.source import check_component
from ablation.config.source_modules import is_component
from ablation.config.validation import ConfigError, validate

FAN_OUT = 8
"""Children of a node in the trees of priorities."""

PRIORITY_KEYS = frozenset(
    {
        "priority_exponent",
        "priority_epsilon",
        "priority_epsilon_enters",
        "new_priority",
        "stratified",
        "uniform_share",
        "importance_sampling_exponent",
        "weight_normalisation",
        "priority_refresh_period",
    }
)
STORAGE_KEYS = frozenset({"capacity", "eviction", "eviction_options", "replacement", "combined"})
WEIGHT_KEYS = frozenset({"importance_sampling_exponent", "weight_normalisation"})
OWN_VALUES = 4
"""Double-precision values that a sampler of the user's is taken to keep beside each item."""


class Sizes(NamedTuple):
    """Transitions that are stored, drawn at a time, and there before the first gradient step."""

    capacity: int
    batch_size: int
    first: int


def _as_configured(config: CellConfig, capacity: int, gap: int) -> Sizes:  # noqa: ARG001
    return Sizes(capacity, config.agent.batch_size, config.replay.min_replay_size)


def _nothing_more(replay: ReplayConfig) -> Collection[str]:  # noqa: ARG001
    return ()


def _no_values(replay: ReplayConfig, items: int) -> int:  # noqa: ARG001
    return 0


def _accept(config: CellConfig) -> None:
    pass


@dataclass(frozen=True)
class ReplayKind:
    """A kind of replay. Every key of `replay` counts in its identity but those that it ignores."""

    name: str
    make: str
    """Import path of the function that makes its sampler from `SamplerInputs`."""
    ignores: frozenset[str] = frozenset()
    """Keys of `replay` that never change its numbers."""
    ignores_here: Callable[[ReplayConfig], Collection[str]] = _nothing_more
    """Keys that do not with these values of the others."""
    stores: bool = True
    """Whether it keeps more than the batch that it learns from."""
    prioritized: bool = False
    """Whether draws follow TD errors and losses are weighted: its sampler is a `Prioritized`."""
    options: type | None = None
    """A dataclass of keys of its own, `replay.options`, with their types and defaults."""
    own: bool = False
    """Whether it is a class of the user's, which alone knows its options."""
    task: str | None = None
    """The only task that it can be used with."""
    sizes: Callable[[CellConfig, int, int], Sizes] = _as_configured
    """(configuration, its capacity, most environment steps from one gradient step to the next) -> the
    sizes that it really has."""
    priority_values: Callable[[ReplayConfig, int], int] = _no_values
    """(configuration, items) -> double-precision values that a run keeps beside its items."""
    check: Callable[[CellConfig], None] = _accept
    """Raises `ConfigError` for values that it cannot have."""

    def ignored(self, replay: ReplayConfig) -> frozenset[str]:
        """Return the keys of `replay` that do not change its numbers."""
        return self.ignores.union(self.ignores_here(replay))

    def own_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of its own keys, defaults included; raises `ConfigError` for others."""
        if self.own:
            return dict(given)
        known = self._option_defaults()
        for key, value in given.items():
            if key not in known:
                allowed = f"options of {self.name}: {', '.join(known) or 'none'}"
                raise ConfigError(f"replay.options.{key}", value, allowed)
        if self.options is None:
            return {}
        return asdict(validate(self.options, given, prefix="replay.options."))

    def changed_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of its own keys that are not at their defaults, where they have one."""
        defaults = self._option_defaults()
        values = self.own_options(given)
        return {key: value for key, value in values.items() if self.own or value != defaults[key]}

    def _option_defaults(self) -> dict[str, Any]:
        return {} if self.options is None else {one.name: one.default for one in fields(self.options)}


def tree_values(leaves: int) -> int:
    """Return the values that a tree over `leaves` keeps: leaves and sums, in whole nodes."""
    total, width = 0, leaves
    while not total or width > 1:
        width = -(-width // FAN_OUT)
        total += width * FAN_OUT
    return total


def _new_items(config: CellConfig, _: int, gap: int) -> Sizes:
    # An episode's end stores up to n items at once: those that its last step began, and n - 1 before.
    most = gap + config.replay.n_step - 1
    return Sizes(most, most, config.replay.n_step)


def _newest_batch(config: CellConfig, _: int, gap: int) -> Sizes:  # noqa: ARG001
    batch_size = config.agent.batch_size
    return Sizes(batch_size, batch_size, config.replay.min_replay_size)


def _error_tree(_: ReplayConfig, items: int) -> int:
    return tree_values(items)


def _trees(replay: ReplayConfig, items: int) -> int:
    extra = (replay.new_priority == "max_present") + (replay.weight_normalisation == "pool_max")
    return (1 + extra) * tree_values(items)


def _proportional_values(replay: ReplayConfig, items: int) -> int:
    errors = 0 if replay.priority_exponent.constant else items
    return _trees(replay, items) + errors


def _rank_values(replay: ReplayConfig, items: int) -> int:
    errors_and_ranks = 2 * items
    return _trees(replay, items) + errors_and_ranks


def _unweighted(replay: ReplayConfig) -> set[str]:
    exponent = replay.importance_sampling_exponent
    return {"weight_normalisation"} if exponent.constant and exponent.start == 0 else set()


def _proportional_ignores(replay: ReplayConfig) -> set[str]:
    fixed = {"priority_refresh_period"} if replay.priority_exponent.constant else set()
    return _unweighted(replay) | fixed


def _check_draws(config: CellConfig) -> None:
    replay, share = config.replay, config.replay.uniform_share
    if replay.stratified and not replay.replacement:
        allowed = "must be true with replay.stratified, which draws from every section of the buffer"
        raise ConfigError("replay.replacement", False, allowed)
    if share and not replay.replacement:
        raise ConfigError("replay.uniform_share", share, "must be 0 without replacement")


def _check_proportional(config: CellConfig) -> None:
    _check_draws(config)
    if not config.replay.priority_epsilon and not config.replay.uniform_share:
        allowed = "must be positive, or replay.uniform_share must be: else items can starve"
        raise ConfigError("replay.priority_epsilon", config.replay.priority_epsilon, allowed)


class _ReplayKinds(Registry[ReplayKind]):
    """The kinds of this program by name, and classes of the user's by their import path."""

    def __getitem__(self, name: str) -> ReplayKind:
        if not is_component(name):
            return super().__getitem__(name)
        return ReplayKind(
            name,
            "ablation.replay.own:OwnSampler",
            ignores=PRIORITY_KEYS - WEIGHT_KEYS | {"replacement"},
            own=True,
            priority_values=lambda _, items: OWN_VALUES * items,
            check=lambda _: check_component("replay.kind", name),
        )


REPLAY_KINDS = _ReplayKinds(
    "replay.kind",
    [
        ReplayKind(
            "none",
            "ablation.replay.build:new_items",
            ignores=PRIORITY_KEYS | STORAGE_KEYS | {"min_replay_size"},
            stores=False,
            sizes=_new_items,
        ),
        ReplayKind(
            "recent",
            "ablation.replay.build:recent",
            ignores=PRIORITY_KEYS | STORAGE_KEYS,
            stores=False,
            sizes=_newest_batch,
        ),
        ReplayKind("uniform", "ablation.replay.build:uniform", ignores=PRIORITY_KEYS),
        ReplayKind(
            "proportional",
            "ablation.replay.build:proportional",
            ignores_here=_proportional_ignores,
            prioritized=True,
            priority_values=_proportional_values,
            check=_check_proportional,
        ),
        ReplayKind(
            "rank",
            "ablation.replay.build:rank",
            ignores=frozenset({"priority_epsilon", "priority_epsilon_enters"}),
            ignores_here=_unweighted,
            prioritized=True,
            priority_values=_rank_values,
            check=_check_draws,
        ),
        ReplayKind(
            "greedy",
            "ablation.replay.build:greedy",
            ignores=PRIORITY_KEYS | {"replacement"},
            priority_values=_error_tree,
        ),
        ReplayKind(
            "oracle",
            "ablation.tasks.cliffwalk.oracle:oracle",
            ignores=PRIORITY_KEYS | {"replacement"},
            task="BlindCliffwalk-<states>",
        ),
    ],
)
