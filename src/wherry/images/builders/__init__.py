"""What builds a Dockerfile: buildah, or BuildKit by way of docker. `build` knows them by one Protocol."""
