"""What the API server must know about each kind, declared once: defaults, checks, columns, subresources.

Discovery, routes, OpenAPI, tables and `kubectl explain` derive from `catalog.KINDS`. Hooks are pure functions on one
object. Whatever needs other objects (cluster IPs, the life of a namespace) is admission and lives in
`wherry.apiserver.admission`.
"""
