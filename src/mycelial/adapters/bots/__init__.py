"""Other people's bots: what they need to know to trade at our exchange."""
