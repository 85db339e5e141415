"""Real folders from end to end: sdists of well-known web projects, each detected, built, brought up, asked.

`list.toml` names them by version and digest; `python -m bench.folders` fetches them from pip's index and reports.
"""
