# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Timers, events, ports and questions about a domain beside 1 to 1,000 sleeping domains with a timer each.

set terminal svg size 900,500 font "sans,11"
set output output
set datafile separator "\t"
set title "Beside so many sleeping domains, each with a timer and a port"
set xlabel "domains"
set ylabel "instructions"
set logscale xy
set yrange [100:10000]
set key center right noenhanced
plot data using 1:2 with linespoints title "set_timer", data using 1:3 with linespoints title "event round trip", \
     data using 1:4 with linespoints title "alloc_unbound+close", data using 1:5 with linespoints title "getdomaininfo"
