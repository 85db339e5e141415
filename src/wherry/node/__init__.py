"""This machine as a Kubernetes node: what a pod needs (`plan`, `status`, both pure), and doing it (`execute`,
`probes`, `volumes`, `cri`).
"""
