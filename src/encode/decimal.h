/*-------------------------------------------------------------------------
 *
 * decimal.h
 *	  Decimal numbers in text, whatever the locale.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HUMANLOOP_DECIMAL_H
#define HUMANLOOP_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The number that is all of these bytes: sign, digits, point, exponent.
 * False: it is none.  NaN and infinity by their names are taken, as numbers
 * that are not finite.  The result is within 1e-15 relative of what is
 * written (4e-15 beyond powers of 22), so that rounded to float it is right
 * but for one number in 10^7, and that by its last bit.
 */
extern bool parse_decimal(const char *text, size_t length, double *value);

#endif							/* HUMANLOOP_DECIMAL_H */
