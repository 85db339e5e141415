"""Trying an image out: one pod of it, asked over HTTP, looked at from inside, told to stop; then what that shows.

`trial` runs it by the Kubernetes API alone, `probe` is the script that looks around inside, `findings` judges (pure).
"""
