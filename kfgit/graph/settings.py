"""How tasks run: retries and resources, each of them by itself."""

from __future__ import annotations

from collections.abc import Mapping

from kfgit.graph.pods import PodChecker
from kfgit.graph.quantities import is_above, task_problem
from kfgit.model import Profile, Resources, Settings
from kfgit.source import Span, changed


class SettingsChecker(PodChecker):
    """Checks of settings, which tasks and defaults have."""

    def settings(self, settings: Settings) -> None:
        """Settings by themselves, of a task or of `defaults`."""
        if settings.profile is not None:
            self.named_profile(settings.profile)
        if settings.resources is not None:
            self.resources(settings.resources, settings.spans["resources"])
        self._patience(settings, settings, "retry", settings.spans)

    def with_defaults(self, own: Settings, defaults: Settings) -> None:
        """How long a task may take, by itself and by a default that it leaves as it is."""
        if own.timeout is not None and own.retry is None:
            self._patience(defaults, own, "timeout", own.spans)
        elif own.retry is not None and own.timeout is None:
            self._patience(own, defaults, "retry", own.spans)

    def _patience(self, retrying: Settings, timed: Settings, key: str, spans: Mapping[str, Span]) -> None:
        retry = retrying.retry
        if (
            retry is None
            or retry.max_duration is None
            or timed.timeout is None
            or timed.timeout <= retry.max_duration
        ):
            return
        message = "one attempt may take longer than all attempts together: `timeout` is more than `retry.maxDuration`"
        self.warn(
            "retry-shorter-than-timeout", message, spans[key], "raise `maxDuration`, or lower the timeout"
        )

    def amounts_of(self, profile: Profile) -> None:
        """The amounts of a profile; what it only inherits is told where it is written."""
        self.resources(profile.resources, profile.span, profile.own)

    def resources(self, resources: Resources, span: Span, own: frozenset[str] | None = None) -> None:
        """Quantities have units that KFP reads, and requests are within limits."""
        for which, quantities in (("requests", resources.requests), ("limits", resources.limits)):
            for name, text in quantities.items():
                found = task_problem(name, text)
                if found is not None and (own is None or f"{which}.{name}" in own):
                    message, help_ = found
                    self.fault("bad-quantity", message, resources.spans.get(f"{which}.{name}", span), help_)
        for name in ("cpu", "memory"):
            least, most = resources.requests.get(name), resources.limits.get(name)
            if is_above(least, most):
                message = f"the request of {name} ({least}) is above its limit ({most})"
                pair = [key for key in (f"requests.{name}", f"limits.{name}") if own is None or key in own]
                spans = [resources.spans.get(key, span) for key in pair]
                if not spans:
                    continue
                place = changed(spans[0], spans[-1], span)
                self.fault("request-above-limit", message, place, "raise the limit, or lower the request")
