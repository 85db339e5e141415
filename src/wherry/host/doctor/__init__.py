"""`wherry doctor`: `facts` looks at the machine, `machine`, `network` and `node` judge (pure), `fixes` mends.

A finding says what is, why it matters and what to do. Its code stays the same from version to version.
"""
