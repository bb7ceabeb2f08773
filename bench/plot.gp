# One SVG from the columns of `benchstat plot`: a panel for each word of 'panels', with the data in
# the file DIR/WORD.dat.
#
#   gnuplot -e "out='a.svg'; dir='.'; panels='static touch'; xtext='..'; ytext='..'; scale='x'" plot.gp
#
# 'scale': which axes are logarithmic, of x and y; may be empty.
n = words(panels)
set terminal svg size 520 * n, 420 dynamic background '#ffffff' font 'sans-serif,12'
set output out
set multiplot layout 1,n
set grid ytics lc '#dddddd'
set border 3
set tics nomirror
set key top right reverse Left samplen 2
set xlabel xtext
set ylabel ytext
set xtics rotate by -35
set offsets graph 0.02, graph 0.02, graph 0.12, 0
if (strlen(scale) > 0) set logscale @scale
if (strstrt(scale, 'y') == 0) set yrange [0:]
do for [i = 1:n] {
	data = dir . '/' . word(panels, i) . '.dat'
	set title word(panels, i)
	stats data skip 1 nooutput
	plot for [k = 2:STATS_columns:3] data using 1:k:(column(k + 1)):(column(k + 2)):xtic(1) \
		with yerrorlines lw 1.6 pt 7 ps 0.5 title columnheader(k)
}
unset multiplot
