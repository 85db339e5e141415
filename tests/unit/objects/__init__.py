"""Tests of `wherry.objects`."""
