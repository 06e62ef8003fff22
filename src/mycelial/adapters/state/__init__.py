"""What a trader must not forget: ledgers on local disk."""

from .ledger import SqliteLedger as SqliteLedger
