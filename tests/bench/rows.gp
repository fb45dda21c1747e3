# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# Each operation's cost as a share of genuine Xen's best column; the line is the half that no row should pass.

set terminal svg size 900,1500 font "sans,11"
set output output
set datafile separator "\t"
set title "Cost of each operation, as a share of genuine Xen's best (instructions)"
set xrange [0:1.2]
set yrange [-1:*] reverse
set ytics scale 0 noenhanced
set grid xtics
set key bottom right
set arrow from 0.5, graph 0 to 0.5, graph 1 nohead lw 2
plot data using ($2 > 1.2 ? 1.2 : $2):0:ytic(1) with points pt 7 ps 0.6 title "64-bit", \
     data using ($3 > 1.2 ? 1.2 : $3):0 with points pt 5 ps 0.5 title "32-bit"
