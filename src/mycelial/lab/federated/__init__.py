"""Teams that forage, each in worlds of its own, and share what they learn: the federated rung of the ladder."""
