"""Images: finding out what a folder is, building, layers, registries. Knows no Kubernetes objects and no node.

What others use:

- `build.build(folder, reference=, store=, dockerfile=, target=, build_args=, on_event=) -> BuiltImage`: a Dockerfile's
  image, with its steps told as they happen. Raises `errors.ImageError`, whose text says what happened, where, what to do.
- `archive.load(path, store=) -> list[BuiltImage]`: the images of an OCI or docker archive.

Both leave the image in one OCI image layout below `store`, which all images share blob by blob; `node.content.import_layout`
brings it into a node from there. `deploy` and `cli` put the two together.
"""
