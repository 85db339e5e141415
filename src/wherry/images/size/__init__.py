"""What an image's bytes are: base, dependencies, app; by layer, by package and by who wants it; what is wasted.

`entries` goes through the layers once, `packages` finds who owns each file, `account` adds up (pure), `waste` names
what could go, `tables` and `treemap` show it.
"""
