"""What events tell about quotas; see ``telling``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from libcyrus.events.mboxevent.event import MboxEvent
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.events.mboxevent.params import Param
from libcyrus.mboxname import NameRules
from libcyrus.records.quota import UNITS, Quota, Resource

if TYPE_CHECKING:
    from libcyrus.mailbox.telling import Telling


class QuotaTelling:
    """Satisfies ``records.quota.QuotaWatcher``."""

    def __init__(self, telling: Telling, rules: NameRules) -> None:
        self._telling = telling
        self._rules = rules

    def over_quota(self, quota: Quota, resource: int) -> None:
        """Something was refused for want of room."""
        event = self._telling.new(EventType.QUOTA_EXCEED)
        self._about(event, quota, resource)
        self._telling.send(event)

    def quota_used(self, before: Sequence[bool], quota: Quota) -> None:
        """What a root uses changed: tell which resources are no longer used up, as they were ``before``."""
        events = []
        for resource, (was, now) in enumerate(zip(before, quota.used_up(), strict=True)):
            if was and not now:
                event = self._telling.new(EventType.QUOTA_WITHIN)
                self._about(event, quota, resource)
                events.append(event)
        self._telling.send(*events)

    def limits_changed(self, old: Quota | None, quota: Quota) -> list[MboxEvent | None]:
        """Events about other limits of a root; ``old`` is what it was, None for a new one."""
        within = None
        change = self._telling.new(EventType.QUOTA_CHANGE)
        for resource in Resource:
            if old is not None and old.used_up()[resource] and not quota.used_up()[resource]:
                within = within or self._telling.new(EventType.QUOTA_WITHIN)
                self._about(within, quota, resource)
            self._about(change, quota, resource)
        return [change, within]

    def _about(self, event: MboxEvent | None, quota: Quota, resource: int) -> None:
        """It is about what this root uses of a resource. Of other resources than two nothing is told."""
        if event is None:
            return
        limit, used = quota.limits[resource], quota.used[resource]
        if resource == Resource.STORAGE:
            if limit >= 0:
                event.put_if_wanted(Param.QUOTA_STORAGE, limit)
            event.put_if_wanted(Param.DISK_USED, used // UNITS[resource])
        elif resource == Resource.MESSAGE:
            event.put(Param.QUOTA_MESSAGES, limit)
            event.put(Param.MESSAGES, used)
        if Param.URI not in event:
            event.put(Param.URI, self._telling.url(quota.root))
            event.put(Param.USER, self._rules.from_internal(quota.root).userid or "")
