"""The intraday market: an order book, a population and the time between them."""
