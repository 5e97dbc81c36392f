"""What to say of a setting that does not exist: what is allowed in its place, and what may be meant."""

from __future__ import annotations

from collections.abc import Iterator

from omegaconf import DictConfig, OmegaConf

from ablation.config.near import did_you_mean, one_of


def allowed_beside(known: DictConfig, key: str) -> str:
    """Return which keys are allowed where `key` is unknown, and where else its last part is one."""
    parent, _, last = key.rpartition(".")
    while parent and not OmegaConf.is_dict(OmegaConf.select(known, parent)):
        parent = parent.rpartition(".")[0]
    section = OmegaConf.select(known, parent) if parent else known
    prefix = f"{parent}." if parent else ""
    names = sorted(prefix + str(name) for name in section if name != "hydra")
    wrong = prefix + key[len(prefix) :].partition(".")[0]
    elsewhere = [name for name in _keys(known) if name.endswith(f".{last}")]
    if did_you_mean(wrong, names) or not elsewhere:
        return f"unknown key; {one_of(wrong, names, 'allowed here')}"
    return f"unknown key; did you mean {' or '.join(elsewhere[:3])}? allowed here: {', '.join(names)}"


def _keys(section: DictConfig, prefix: str = "") -> Iterator[str]:
    """Yield the full names of all settings of a composed configuration."""
    for name, value in section.items_ex(resolve=False):
        if isinstance(value, DictConfig) and name != "hydra":
            yield from _keys(value, f"{prefix}{name!s}.")
        else:
            yield f"{prefix}{name!s}"
