"""What is trained beside agents in environments, and the function that makes the trainer of any cell.

In: a configuration, seeds and a device. Out: a `Trainer`, as the table `ablation.config.tasks` names it.
Each task is a folder with its data, its trainer and the sizes that planning needs.
Imports `training` and every package below it; of the project only `sweep` and `cli` import it.
"""
