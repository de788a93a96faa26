#!/bin/sh
# pytest-vfio's probe: prints what it finds on this host as one text stream, and changes nothing.
#
#     sh probe.sh >HOST.vfio          as root where it may be; what another user may not read is
#                                     said to be denied. HOST.vfio is a bundle: pytest --bundle
#
# It writes no file, loads no module, wakes no device, starts no daemon. libvirt is asked only
# where its daemon runs already: connecting to the socket of one that does not would start it, and
# with it every guest marked autostart.
#
# Needs sh (dash, bash, busybox ash), awk, grep, ls, od; any other command that is missing costs
# only its own item. The number of processes does not grow with the number of devices.
# The format is told in pytest_vfio/sources/bundles/recording.py, the items in
# pytest_vfio/sources/items.py.
#
# shellcheck disable=SC1007,SC2016,SC2035,SC2086,SC2317

unset ENV BASH_ENV CDPATH GREP_OPTIONS GREP_COLOR POSIXLY_CORRECT
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin
IFS=' 	
'
export LC_ALL PATH
umask 077
set -u

R=${PROBE_ROOT-}     # tests read a made-up tree; never set on a host
