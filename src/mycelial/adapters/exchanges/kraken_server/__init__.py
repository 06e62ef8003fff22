"""A simulated Kraken that anybody's client can connect to: REST, WebSocket v2 and v1, and an admin endpoint."""

from mycelial.adapters.exchanges.kraken_server.server import Addresses as Addresses
from mycelial.adapters.exchanges.kraken_server.server import Server as Server
