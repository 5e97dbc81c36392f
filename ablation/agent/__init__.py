"""The value-learning agent: stacked networks, targets, exploration and one learner for all lanes."""
