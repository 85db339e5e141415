"""The Kubernetes API over the store: HTTP at the outside (`http`), one file per verb (`verbs`), checks that need
other objects (`admission`), the Client for actors in this process (`local`), certificates and tokens.
"""
