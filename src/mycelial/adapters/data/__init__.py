"""Candle data on disk and from venues: import, catalogue, verify, download, load as a panel."""

from mycelial.adapters.data.catalogue import Entry as Entry
from mycelial.adapters.data.catalogue import read_entries as read_entries
from mycelial.adapters.data.catalogue import store as store
from mycelial.adapters.data.downloading import Shell as Shell
from mycelial.adapters.data.downloading import download as download
from mycelial.adapters.data.importing import import_file as import_file
from mycelial.adapters.data.panels import load_panel as load_panel
from mycelial.adapters.data.venue import Venue as Venue
from mycelial.adapters.data.verify import Finding as Finding
from mycelial.adapters.data.verify import verify_path as verify_path
