"""How peers share: parameters are float32 vectors, never networks. No sockets, no clock."""
