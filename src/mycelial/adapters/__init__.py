"""The shell: everything that touches files, networks and clocks."""
