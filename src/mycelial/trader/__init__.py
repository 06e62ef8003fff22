"""One trader: observe, decide, submit, settle, report. The list of files is the flow of data."""
