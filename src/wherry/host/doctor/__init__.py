"""`wherry doctor`: `facts` looks at the machine, `machine`, `network` and `node` judge (pure), `fixes` mends.

A finding says what is, why it matters and what to do. Its code is the same in every version.
"""
