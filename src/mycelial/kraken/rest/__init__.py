"""REST v0 of Kraken Spot: bodies, methods, requests and answers, read and written."""
