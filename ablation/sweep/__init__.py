"""Turns a plan into stored runs, whatever dies on the way.

What comes in is a plan, a `SweepConfig` and Hydra's launcher; what goes out are run directories in the
store and the inventory of what is complete. The dispatcher launches supervisors, each keeps one worker
alive, and a worker claims runs and trains job after job. May import everything below: tasks, training,
results, tracking, study, store, config; it prints nothing and knows no command line.
"""
