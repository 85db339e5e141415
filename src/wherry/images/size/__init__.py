"""What an image's bytes are: base, dependencies, app; by layer, by package and by who wants it; what is wasted.

`read` goes through the layers once, `packages` finds who owns each file, `account` adds up (pure), `findings` names
what could go, `table` and `treemap` show it.
"""
