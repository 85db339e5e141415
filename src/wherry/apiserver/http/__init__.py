"""HTTP: routes derived from the catalog, authentication, discovery, OpenAPI, tables, streams. Decides nothing
about objects: that is `verbs`.
"""
