"""The client: trades on Kraken, or on our own exchange that speaks Kraken's protocol; the addresses decide."""

from .credentials import Credentials as Credentials
from .credentials import find_credentials as find_credentials
from .exchange import KrakenExchange as KrakenExchange
from .settings import Settings as Settings
