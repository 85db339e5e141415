"""What builds a Dockerfile: buildah, or BuildKit by way of docker. `build` knows them by one Protocol;
`choice` says which, `at_hand` of what version."""
