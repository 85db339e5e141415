"""The pods of this node: what each needs next (`plan`), how that reads as a status (`status`), both pure; and the
workers that carry it out through the Runtime (`worker`), with volumes, environment and probes.
"""
