"""The first part of the report: what services have counted.

Prometheus' text form. A line says nothing of a service that never changed the number. Within a metric the
services come by name (in the original in the order of a hash table that differs from report to report).
"""

from __future__ import annotations

from libcyrus.server import metric_table
from libcyrus.server.metrics import Numbers


def render(found: dict[str, Numbers]) -> str:
    """The text for the numbers of each service."""
    lines = []
    services = [(metric_table.escaped(ident), numbers) for ident, numbers in sorted(found.items())]
    place = 0
    for metric in metric_table.metrics():
        lines.append(f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n")
        for value in metric.values:
            label = metric.shown_label(value)
            lines += [
                f'{metric.name}{{service="{ident}"{label}}} {numbers[place][0]:.0f} {numbers[place][1]}\n'
                for ident, numbers in services
                if place in numbers
            ]
            place += 1
    return "".join(lines)
