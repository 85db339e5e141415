"""What each verb does to an object of any kind, once. Generic rules (generation, managedFields, status reset,
finalizers) are here; what is special to a kind comes from its declaration.
"""
