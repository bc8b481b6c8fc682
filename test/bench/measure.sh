# shellcheck shell=bash
#
# What several benches do to measure; to be sourced.

# A row a line, columns between blanks.
sql() {
	psql --no-psqlrc -q -At -F ' ' -v ON_ERROR_STOP=1 "$@"
}

# The transformer "minilm", into the database; fails where its files cannot be had.
import_minilm() {
	[ -d "$WORK/minilm" ] || copy_minilm || return 1
	sql -c "SELECT FROM hl_import_encoder('minilm', 'transformer', path => '$WORK/minilm')" >/dev/null
}

# Lines "NAME NUMBER..." to "NAME MEAN STANDARD-ERROR LOW HIGH": a 95 %
# interval by Student's t, whose quantile is from its expansion about the normal
# one (Abramowitz and Stegun, 26.7.5; right to 0.003 from 9 runs on).
summary() {
	awk '{
		n = NF - 1; sum = squares = 0
		for (i = 2; i <= NF; i++) sum += $i
		for (i = 2; i <= NF; i++) squares += ($i - sum / n) ^ 2
		z = 1.959964
		v = n - 1
		t = v < 1 ? 0 : z + (z^3 + z) / (4 * v) + (5 * z^5 + 16 * z^3 + 3 * z) / (96 * v^2) + \
			(3 * z^7 + 19 * z^5 + 17 * z^3 - 15 * z) / (384 * v^3)
		se = v < 1 ? 0 : sqrt(squares / v / n)
		printf "%s %.4f %.4f %.4f %.4f\n", $1, sum / n, se, sum / n - t * se, sum / n + t * se
	}'
}
