"""A Python base image straight from Debian's packages, which the host's apt fetches: no registry, no root."""
