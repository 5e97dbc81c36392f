"""What every trainer offers."""

from __future__ import annotations

from collections.abc import Callable

from ablation.store.records import Records

OnPeriod = Callable[[int, Records], None]
"""Called with the environment step after every evaluation, at every step that logs, and at the end."""
