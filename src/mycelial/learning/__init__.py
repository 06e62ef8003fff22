"""How agents learn: the engine of the swarm. The only package that imports JAX."""
