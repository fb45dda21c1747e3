# SPDX-FileCopyrightText: 2026 The Paravane developers
# SPDX-License-Identifier: BSD-2-Clause
#
# What creating, destroying and listing a domain costs, by how many there are.

set terminal svg size 900,500 font "sans,11"
set output output
set datafile separator "\t"
set title "Each step from the 1st to the 1,000th guest"
set xlabel "domains"
set ylabel "million instructions"
set y2label "thousand instructions (list)"
set y2tics
set ytics nomirror
set yrange [0:*]
set y2range [0:*]
set key bottom right
plot data using 1:($2/1e6) with dots title "create", data using 1:($3/1e6) with dots title "destroy", \
     data using 1:($4/1e3) axes x1y2 with linespoints title "list, a domain"
