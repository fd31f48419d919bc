"""How tasks run: retries, profiles and resources."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kfgit.diagnostics import did_you_mean
from kfgit.graph.checker import Checker
from kfgit.model import (
    Name,
    Profile,
    Resources,
    Settings,
)
from kfgit.source import Span, changed

_CPU = re.compile(r"(\d+|\d*\.\d+)m?\Z")
_MEMORY = re.compile(r"\d+(E|Ei|P|Pi|T|Ti|G|Gi|M|Mi|K|Ki|k)?\Z")
_UNITS = {"": 1, "K": 1e3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_UNITS |= {f"{unit}i": 1024**power for power, unit in enumerate("KMGTPE", start=1)}


class SettingsChecker(Checker):
    """Checks of settings, which tasks and defaults have."""

    def settings(self, settings: Settings) -> None:
        """Settings by themselves, of a task or of `defaults`."""
        if settings.profile is not None:
            self._profile(settings.profile)
        if settings.resources is not None:
            self.resources(settings.resources, settings.spans["resources"])
        self._patience(settings, settings, "retry", settings.spans)

    def device(self, amounts: Resources | None, profile: Name | None) -> None:
        """A task's accelerator says which it is, or its profile does."""
        accelerator = amounts.accelerator if amounts is not None else None
        if accelerator is None or accelerator.resource or accelerator.span is None:
            return
        found = self.project.profile_of(profile)
        base = found.resources.accelerator if found is not None else None
        if (base is None or not base.resource) and (found is not None or profile is None):
            help_ = "add `resource`, such as `nvidia.com/gpu`, or a `profile` that has one"
            self.fault("missing-key", "`resource` is missing in `accelerator`", accelerator.span, help_)

    def with_defaults(self, own: Settings, defaults: Settings) -> None:
        """What a task says itself, together with a default that it leaves as it is."""
        if own.resources is not None or own.profile is not None:
            self._over_profile(own, own.resources or defaults.resources, own.profile or defaults.profile)
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

    def _over_profile(self, settings: Settings, amounts: Resources | None, profile: Name | None) -> None:
        """Amounts go over those of the profile, key by key; what only one of them says is looked at there."""
        found = self.project.profile_of(profile)
        if amounts is None or found is None:
            return
        for which, other in (("requests", "limits"), ("limits", "requests")):
            mine: Mapping[str, str] = getattr(amounts, which)
            theirs: Mapping[str, str] = getattr(found.resources, other)
            for name in (mine.keys() & theirs.keys() & {"cpu", "memory"}) - getattr(amounts, other).keys():
                least, most = (mine, theirs) if which == "requests" else (theirs, mine)
                if _is_above(least[name], most[name]):
                    told = f"the request of {name} ({least[name]}) is above its limit ({most[name]})"
                    span = amounts.spans.get(f"{which}.{name}", settings.spans.get("profile", found.span))
                    message, help_ = (
                        f"with the profile `{found.name}` {told}",
                        "raise the limit, or lower the request",
                    )
                    self.fault("request-above-limit", message, span, help_)

    def _profile(self, name: Name) -> None:
        environment = self.project.environment
        mapped = environment.profiles.get(name.text)
        wanted = mapped or name
        found = self.project.profiles.get(wanted.text)
        if found is None:
            if ("ResourceProfile", wanted.text) in self.project.faulty:
                return
            if mapped is not None:
                self.concrete_profile(mapped)
                return
            help_ = did_you_mean(name.text, [*self.project.profiles, *environment.profiles], what="profiles")
            self.fault("unknown-profile", f"there is no profile `{name.text}` here", name.span, help_)
            return
        if environment.target == "cluster" and found.cluster_only:
            what = ", ".join(f"`{n.text}`" for n in found.cluster_only)
            message = f"a KFP task cannot have {what}, which the profile `{found.name}` asks for"
            help_ = (
                "give the profile a `queue`, whose priority KFP can pass on"
                if "priority" in what
                else "leave it out"
            )
            self.fault("not-supported", message, found.cluster_only[0].span, help_)

    def concrete_profile(self, name: Name) -> None:
        """What an environment says that a logical profile is."""
        if name.text in self.project.profiles or ("ResourceProfile", name.text) in self.project.faulty:
            return
        help_ = did_you_mean(name.text, self.project.profiles, what="profiles")
        self.fault("unknown-profile", f"there is no ResourceProfile `{name.text}`", name.span, help_)

    def profile(self, profile: Profile) -> None:
        """The amounts of a profile; what it only inherits is told where it is written."""
        self.resources(profile.resources, profile.span, profile.own)

    def resources(self, resources: Resources, span: Span, own: frozenset[str] | None = None) -> None:
        """Quantities have units that KFP reads, and requests are within limits."""
        for which, quantities in (("requests", resources.requests), ("limits", resources.limits)):
            for name, text in quantities.items():
                pattern = {"cpu": _CPU, "memory": _MEMORY}.get(name)
                if pattern is not None and not pattern.match(text):
                    example = "such as `500m` or `2`" if name == "cpu" else "such as `512Mi` or `2Gi`"
                    place = resources.spans.get(f"{which}.{name}", span)
                    self.fault(
                        "bad-quantity",
                        f"`{text}` is no quantity of {name} that KFP reads",
                        place,
                        f"write {example}",
                    )
        for name in ("cpu", "memory"):
            least, most = resources.requests.get(name), resources.limits.get(name)
            if _is_above(least, most):
                message = f"the request of {name} ({least}) is above its limit ({most})"
                pair = [key for key in (f"requests.{name}", f"limits.{name}") if own is None or key in own]
                spans = [resources.spans.get(key, span) for key in pair]
                if not spans:
                    continue
                place = changed(spans[0], spans[-1], span)
                self.fault("request-above-limit", message, place, "raise the limit, or lower the request")


def _is_above(least: str | None, most: str | None) -> bool:
    low, high = quantity(least), quantity(most)
    return low is not None and high is not None and low > high


def quantity(text: str | None) -> float | None:
    """A Kubernetes quantity as a number, in cores or bytes; None where there is none or it is bad."""
    match = re.match(r"([0-9.]+)(m|[kKMGTPE]i?)?\Z", text or "")
    if match is None:
        return None
    try:
        number = float(match.group(1))
    except ValueError:
        return None
    return number / 1000 if match.group(2) == "m" else number * _UNITS[match.group(2) or ""]
