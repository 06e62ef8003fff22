"""Real counterparts for tests: servers that speak a venue's protocol on 127.0.0.1."""
