"""The thinking half of a Kraken client: state machines that know nothing of sockets, clocks or event loops.

Each takes facts and times and says what is known or what to do next; `adapters.exchanges.kraken` does the talking.
"""
