"""Markets as environments: observations, actions, rewards, one book or many."""
