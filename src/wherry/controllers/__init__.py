"""One pure file per controller: `observe()` and `plan()`. No I/O, no clock, no asyncio; the loop that runs them is
`wherry.client.reconcile`.
"""
