"""The sweeper plugin and the commands around it."""
