"""The web page: a client of the API like any other."""
