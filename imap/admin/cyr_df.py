"""cyr_df(8): how full the file systems of the partitions are."""

from __future__ import annotations

import os

import click

from libcyrus import tool


@click.command("cyr_df")
@tool.config_option
@click.option("-m", "metadata", is_flag=True, help="Report on metapartitions instead.")
@click.argument("_rest", nargs=-1, metavar="")
def cyr_df(config_file: str | None, metadata: bool, _rest: tuple[str, ...]) -> None:
    """Report how full the file systems of the partitions are."""
    config = tool.begin(config_file, "cyr_df")
    lead = "metapartition-" if metadata else "partition-"
    print(f"{'Partition':12} {'1k-blocks':>12} {'Used':>12} {'Available':>12} Use% Location")
    for key, path in config.overflow_items():
        if key.startswith(lead):
            line = usage(key.removeprefix(lead), path)
            if line is not None:
                print(line)


main = tool.main(cyr_df)


def usage(partition: str, path: str) -> str | None:
    """The line of one partition; None where there is no such directory."""
    try:
        status = os.statvfs(path)
    except OSError:
        return None
    unit = status.f_frsize / 1024.0
    used = status.f_blocks - status.f_bfree
    reachable = used + status.f_bavail
    percent = int(used * 100.0 / reachable + 0.5) if reachable else 0
    return (
        f"{partition:12} {int(status.f_blocks * unit):12} {int(used * unit):12} "
        f"{int(status.f_bavail * unit):12} {percent:3}% {path}"
    )
