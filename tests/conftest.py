"""For all tests: a law is not broken because a busy machine is slow, and what a test starts hears Ctrl-C."""

import signal

from hypothesis import HealthCheck, settings

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# A shell has its background jobs ignore the one (POSIX, 2.11), nohup the other: a program that is started inherits
# that, but no handler.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)
