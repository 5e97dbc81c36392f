"""Joins an existing Ray cluster, which Hydra's Ray launcher cannot."""

from typing import Any

from hydra.plugins.launcher import Launcher
from omegaconf import OmegaConf


def connect(launcher: Launcher) -> None:
    """Join the cluster that a Ray launcher is configured for; do nothing for other launchers.

    The launcher sets a size of the object store, which Ray refuses where it does not start the cluster
    itself; it leaves a connection that exists as it is.
    """
    config = getattr(launcher, "ray_cfg", None)
    if config is None or not config.init.get("address"):
        return
    import ray

    if not ray.is_initialized():
        settings: Any = OmegaConf.to_container(config.init, resolve=True)
        ray.init(log_to_driver=False, **settings)
