"""What an image is made of and how, for others to verify: SBOMs (SPDX 2.3, CycloneDX 1.6), build provenance (SLSA 1.0),
and how they hang on the image as OCI referrers. All bytes follow from the image alone.
"""
