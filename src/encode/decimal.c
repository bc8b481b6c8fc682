/*-------------------------------------------------------------------------
 *
 * decimal.c
 *	  Decimal numbers in text, whatever the locale.
 *
 * Not strtod: it goes by the locale's decimal point, which any other
 * extension of a server may set, needs a zero at the end, and takes
 * hexadecimal numbers.  Nor strtod_l, as a locale is memory that no Caller
 * lends.  It is some ten times faster, too, and a file has a hundred million
 * numbers.
 *
 *-------------------------------------------------------------------------
 */
#include "decimal.h"

#include <math.h>
#include <stdint.h>

/* The names of what is no number, in any case. */
static bool
parse_name(const char *text, size_t length, double *value)
{
	static const char *const names[] = {"nan", "inf", "infinity"};

	for (int i = 0; i < 3; i++)
	{
		size_t		j = 0;

		while (j < length && names[i][j] != '\0' && (text[j] | 0x20) == names[i][j])
			j++;
		if (j == length && names[i][j] == '\0')
		{
			*value = i == 0 ? NAN : INFINITY;
			return true;
		}
	}
	return false;
}

/* value * 10^exponent; powers up to 10^22 are exact in double. */
static double
scale_decimal(double value, int exponent)
{
	static const double powers[] = {
		1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
	};

	for (; exponent < -22 && value != 0.0; exponent += 22)
		value /= 1e22;
	for (; exponent > 22 && value != 0.0 && isfinite(value); exponent -= 22)
		value *= 1e22;
	if (value == 0.0 || !isfinite(value))
		return value;
	return exponent < 0 ? value / powers[-exponent] : value * powers[exponent];
}

/* The exponent from its 'e' on; false where that is none. */
static bool
parse_exponent(const char *text, size_t length, int *exponent)
{
	size_t		i = 1;
	bool		negative = false;
	int			value = 0;

	if (i < length && (text[i] == '-' || text[i] == '+'))
		negative = text[i++] == '-';
	if (i == length)
		return false;
	for (; i < length; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return false;
		if (value < 10000000)	/* further off than a line has digits */
			value = value * 10 + (text[i] - '0');
	}
	*exponent += negative ? -value : value;
	return true;
}

bool
parse_decimal(const char *text, size_t length, double *value)
{
	size_t		i = 0;
	bool		negative = false;
	bool		digits = false;
	bool		point = false;
	uint64_t	mantissa = 0;
	int			exponent = 0;

	if (length > 0 && (text[0] == '-' || text[0] == '+'))
		negative = text[i++] == '-';
	for (; i < length; i++)
	{
		if (text[i] == '.' && !point)
		{
			point = true;
			continue;
		}
		if (text[i] < '0' || text[i] > '9')
			break;
		digits = true;
		if (mantissa < UINT64_C(1000000000000000000))
		{
			mantissa = mantissa * 10 + (uint64_t) (text[i] - '0');
			exponent -= point;
		}
		else
			exponent += !point;
	}
	if (!digits)
	{
		if (point || !parse_name(text + i, length - i, value))
			return false;
	}
	else
	{
		if (i < length && ((text[i] | 0x20) != 'e' ||
						   !parse_exponent(text + i, length - i, &exponent)))
			return false;
		*value = scale_decimal((double) mantissa, exponent);
	}
	if (negative)
		*value = -*value;
	return true;
}
