"""Images: finding out what a folder is, building, layers, registries. Knows no Kubernetes objects and no node.

What others use:

- `build.build(folder, recipe, reference=, store=, builder=, on_event=) -> BuiltImage`: a Dockerfile's image, with its
  steps told as they happen. `build.build_made` writes the Dockerfile first, `layers` does without one.
- `archive.load(path, layout) -> list[BuiltImage]`: the images of an OCI or docker archive; `save.save` writes one.
- `base.image.make(layout, cache) -> list[Base]`: Python base images from Debian packages, without a registry.

They raise `errors.ImageError`: what happened, where, what to do.

All leave the image in one OCI image layout below `store`, which all images share blob by blob;
`node.content.import_layout` brings it into a node from there. `deploy` and `cli` put the two together.
"""
