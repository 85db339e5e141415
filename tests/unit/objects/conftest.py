"""Property tests share one profile: no deadlines per example, as the machine may be busy with other things."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "wherry", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile("wherry")
