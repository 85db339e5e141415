"""Services on this machine: Services and EndpointSlices become a Ruleset (pure), which nftables, HAProxy and the
DNS server apply.
"""
