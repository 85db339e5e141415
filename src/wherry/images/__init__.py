"""Images: finding out what a folder is, building, layers, registries. Knows no Kubernetes objects and no node.

What others use:

- `build.build(folder, reference=, store=, dockerfile=, target=, build_args=, on_event=) -> BuiltImage`: a Dockerfile's
  image, with its steps told as they happen. Raises `errors.ImageError`: what happened, where, what to do.
- `archive.load(path, store) -> list[BuiltImage]`: the images of an OCI or docker archive.
- `base.image.make(...)`: a Python base image from Debian packages, without a registry.

All leave the image in one OCI image layout below `store`, which all images share blob by blob;
`node.content.import_layout` brings it into a node from there. `deploy` and `cli` put the two together.
"""
