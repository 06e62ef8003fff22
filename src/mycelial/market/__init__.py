"""How prices form."""
