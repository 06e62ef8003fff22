"""Trained teams that ship with the package; `manifest.json` says where each comes from."""
