"""What each verb does to an object of any kind, once, one file per verb.

Generic rules (names, generation, managedFields, status reset, finalizers, selectors, revisions) are here; what is
special to a kind comes from its declaration (`wherry.kinds`), what needs other objects from `admission`.
Verbs know no HTTP: the same functions serve the network (`http`) and the actors of this process (`local`).
"""
