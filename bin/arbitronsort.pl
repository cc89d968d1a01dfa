#!/usr/bin/env -S python3 -S
from launch import run
run("imap.admin.arbitronsort")
