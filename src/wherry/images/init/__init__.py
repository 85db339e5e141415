"""The few files that an app's folder needs to be built: `Dockerfile`, `.dockerignore`, `wherry.toml`. Texts only, pure.

What `dockerfile` writes is read by buildah 1.28 and by BuildKit, and `images.check` has nothing to say of it.
"""
