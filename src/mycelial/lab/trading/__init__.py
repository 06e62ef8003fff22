"""The trading swarm in the laboratory: baselines, training by groups that gossip, held-out evaluation."""
