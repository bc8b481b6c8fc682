/*-------------------------------------------------------------------------
 *
 * test_math.c
 *	  Matrices, random numbers and stored bytes, without a server.
 *
 *-------------------------------------------------------------------------
 */
#include "unit.h"

#include "../../src/math/buffer.h"
#include "../../src/math/matrix.h"
#include "../../src/math/random.h"

#define SIZE 131				/* odd, and larger than any kernel's block */
#define LD 137

static double
element(int i, int j)
{
	return sin(1.0 + i * 0.7 + j * 1.3 + i * j * 0.01);
}

static void
fill(double *a, int rows, int columns, int ld)
{
	for (int i = 0; i < rows; i++)
		for (int j = 0; j < columns; j++)
			a[i * ld + j] = element(i, j);
}

/* Largest difference between op(A) op(B) as computed and as summed here. */
static double
gemm_error(bool transpose_a, bool transpose_b, int m, int n, int k)
{
	static double a[LD * LD];
	static double b[LD * LD];
	static double c[LD * LD];
	double		error = 0.0;

	fill(a, LD, LD, LD);
	fill(b, LD, LD, LD);
	for (int i = 0; i < LD * LD; i++)
		c[i] = 2.0;
	matrix->gemm(transpose_a, transpose_b, m, n, k, 1.5, a, LD, b, LD, 0.5, c, LD);
	for (int i = 0; i < m; i++)
		for (int j = 0; j < n; j++)
		{
			double		sum = 1.0;

			for (int l = 0; l < k; l++)
				sum += 1.5 * (transpose_a ? element(l, i) : element(i, l)) *
					(transpose_b ? element(j, l) : element(l, j));
			error = fmax(error, fabs(c[i * LD + j] - sum));
		}
	/* beside and below the result nothing may have changed */
	for (int i = 0; i < LD; i++)
		for (int j = 0; j < LD; j++)
			if ((i >= m || j >= n) && c[i * LD + j] != 2.0)
				error = INFINITY;
	return error;
}

static double
gemm_float_error(bool transpose_a, bool transpose_b, int m, int n, int k)
{
	static float a[LD * LD];
	static float b[LD * LD];
	static float c[LD * LD];
	double		error = 0.0;

	for (int i = 0; i < LD; i++)
		for (int j = 0; j < LD; j++)
			a[i * LD + j] = b[i * LD + j] = (float) element(i, j);
	for (int i = 0; i < LD * LD; i++)
		c[i] = 2.0f;
	matrix->gemm_float(transpose_a, transpose_b, m, n, k, 1.5f, a, LD, b, LD, 0.5f, c, LD);
	for (int i = 0; i < m; i++)
		for (int j = 0; j < n; j++)
		{
			double		sum = 1.0;

			for (int l = 0; l < k; l++)
				sum += 1.5 * (transpose_a ? element(l, i) : element(i, l)) *
					(transpose_b ? element(j, l) : element(l, j));
			error = fmax(error, fabs(c[i * LD + j] - sum));
		}
	return error;
}

static void
test_gemm(void)
{
	static const int sizes[] = {1, 2, 7, 16, 33, SIZE};
	double		error = 0.0;
	double		error_float = 0.0;

	for (int t = 0; t < 4; t++)
		for (int i = 0; i < 6; i++)
		{
			bool		transpose_a = t & 1;
			bool		transpose_b = t & 2;
			int			m = sizes[i];
			int			n = sizes[(i + t) % 6];
			int			k = sizes[(i * 2 + t) % 6];

			error = fmax(error, gemm_error(transpose_a, transpose_b, m, n, k));
			error_float = fmax(error_float,
							   gemm_float_error(transpose_a, transpose_b, m, n, k));
		}
	CHECK(error < 1e-11);
	CHECK(error_float < 1e-3);
	CHECK(gemm_error(false, false, 0, 5, 3) == 0.0);
	CHECK(gemm_error(false, false, 5, 5, 0) == 0.0);	/* only beta */
}

static void
test_gemv(void)
{
	static double a[SIZE * LD];
	double		x[LD];
	double		y[LD];

	fill(a, SIZE, 101, LD);
	for (int transpose = 0; transpose < 2; transpose++)
	{
		int			in = transpose ? SIZE : 101;
		int			out = transpose ? 101 : SIZE;
		double		error = 0.0;

		for (int i = 0; i < LD; i++)
		{
			x[i] = element(i, 3);
			y[i] = i;
		}
		matrix->gemv(transpose, SIZE, 101, 2.0, a, LD, x, -1.0, y);
		for (int i = 0; i < out; i++)
		{
			double		sum = -i;

			for (int j = 0; j < in; j++)
				sum += 2.0 * element(j, 3) * (transpose ? element(j, i) : element(i, j));
			error = fmax(error, fabs(y[i] - sum));
		}
		CHECK(error < 1e-11);
	}
	y[0] = 3.0;
	matrix->gemv(false, 1, 0, 1.0, a, 1, x, 0.5, y);
	CHECK(y[0] == 1.5);			/* an empty sum still scales */
}

/* Gram matrix plus identity, n x n, both triangles. */
static void
positive_definite(double *a, int n, int ld)
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
		{
			a[i * ld + j] = i == j;
			for (int k = 0; k < n; k++)
				a[i * ld + j] += element(k, i) * element(k, j);
		}
}

static void
test_syrk(void)
{
	static double a[LD * LD];
	static double c[LD * LD];

	fill(a, LD, LD, LD);
	for (int transpose = 0; transpose < 2; transpose++)
	{
		double		error = 0.0;
		bool		upper_kept = true;

		for (int i = 0; i < LD * LD; i++)
			c[i] = 7.0;
		matrix->syrk(transpose, 65, SIZE, 2.0, a, LD, 1.0, c, LD);
		for (int i = 0; i < 65; i++)
			for (int j = 0; j < 65; j++)
			{
				double		sum = 7.0;

				for (int k = 0; k < SIZE && j <= i; k++)
					sum += 2.0 * (transpose ? element(k, i) * element(k, j) :
								  element(i, k) * element(j, k));
				if (j > i)
					upper_kept = upper_kept && c[i * LD + j] == 7.0;
				else
					error = fmax(error, fabs(c[i * LD + j] - sum));
			}
		CHECK(error < 1e-10);
		CHECK(upper_kept);
	}
}

static void
test_potrf_trsm(void)
{
	static double a[LD * LD];
	static double l[LD * LD];
	static double b[LD * LD];
	static double product[LD * LD];
	double		error = 0.0;

	positive_definite(a, SIZE, LD);
	memcpy(l, a, sizeof(a));
	CHECK(matrix->potrf(SIZE, l, LD) == 0);
	for (int i = 0; i < SIZE; i++)
		for (int j = 0; j <= i; j++)
		{
			double		sum = 0.0;

			for (int k = 0; k <= j; k++)
				sum += l[i * LD + k] * l[j * LD + k];
			error = fmax(error, fabs(sum - a[i * LD + j]));
		}
	CHECK(error < 1e-9);
	CHECK(l[1] == a[1]);		/* the upper triangle is left alone */

	for (int i = 0; i < SIZE; i++)
		for (int j = i + 1; j < SIZE; j++)
			l[i * LD + j] = 0.0;
	for (int transpose = 0; transpose < 2; transpose++)
	{
		fill(b, SIZE, 29, LD);
		matrix->trsm(transpose, SIZE, 29, l, LD, b, LD);
		matrix->gemm(transpose, false, SIZE, 29, SIZE, 1.0, l, LD, b, LD, 0.0, product, LD);
		error = 0.0;
		for (int i = 0; i < SIZE; i++)
			for (int j = 0; j < 29; j++)
				error = fmax(error, fabs(product[i * LD + j] - element(i, j)));
		CHECK(error < 1e-10);

		fill(b, 29, SIZE, LD);
		matrix->trsm_right(transpose, 29, SIZE, l, LD, b, LD);
		matrix->gemm(false, transpose, 29, SIZE, SIZE, 1.0, b, LD, l, LD, 0.0, product, LD);
		error = 0.0;
		for (int i = 0; i < 29; i++)
			for (int j = 0; j < SIZE; j++)
				error = fmax(error, fabs(product[i * LD + j] - element(i, j)));
		CHECK(error < 1e-10);
	}

	/* the third leading minor of this one is negative */
	memset(l, 0, sizeof(l));
	l[0] = l[LD + 1] = 1.0;
	l[2 * LD + 2] = -1.0;
	CHECK(matrix->potrf(3, l, LD) == 3);
	CHECK(matrix->potrf(3, l, 2) < 0);	/* rows overlap */
	CHECK(matrix->potrf(-1, l, LD) < 0);
	CHECK(matrix->potrf(0, l, 1) == 0);
}

static void
test_syevd(void)
{
	static double a[LD * LD];
	static double v[LD * LD];
	double		values[LD];
	double		two[4] = {2.0, NAN, 1.0, 2.0};	/* upper is not read */
	double		error = 0.0;

	CHECK(matrix->syevd(2, two, 2, values) == 0);
	CHECK_NEAR(values[0], 1.0, 1e-14);
	CHECK_NEAR(values[1], 3.0, 1e-14);
	CHECK_NEAR(two[0] * two[1], -0.5, 1e-14);	/* row 0: (1, -1) / sqrt 2 */
	CHECK_NEAR(two[2] * two[3], 0.5, 1e-14);

	positive_definite(a, SIZE, LD);
	memcpy(v, a, sizeof(a));
	CHECK(matrix->syevd(SIZE, v, LD, values) == 0);
	for (int pair = 0; pair < SIZE; pair++)
		for (int i = 0; i < SIZE; i++)
		{
			double		sum = 0.0;

			for (int j = 0; j < SIZE; j++)
				sum += a[i * LD + j] * v[pair * LD + j];
			error = fmax(error, fabs(sum - values[pair] * v[pair * LD + i]));
		}
	CHECK(error < 1e-9);
	for (int pair = 1; pair < SIZE; pair++)
		if (values[pair] < values[pair - 1])
			error = INFINITY;
	CHECK(error < INFINITY);
	CHECK(matrix->syevd(3, v, 2, values) < 0);
	CHECK(matrix->syevd(0, v, 1, values) == 0);
}

/* Tables that compute something wrong must not pass the self test. */
static void
gemm_last_column_wrong(bool transpose_a, bool transpose_b, int m, int n, int k,
					   double alpha, const double *a, int lda,
					   const double *b, int ldb, double beta, double *c, int ldc)
{
	matrix_blas_ops()->gemm(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb,
							beta, c, ldc);
	c[n - 1] += 1.0;
}

static void
gemm_float_wrong(bool transpose_a, bool transpose_b, int m, int n, int k,
				 float alpha, const float *a, int lda,
				 const float *b, int ldb, float beta, float *c, int ldc)
{
	matrix_blas_ops()->gemm_float(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb,
								  beta, c, ldc);
	c[(m - 1) * ldc] = NAN;
}

static void
gemv_wrong(bool transpose, int m, int n, double alpha, const double *a, int lda,
		   const double *x, double beta, double *y)
{
	matrix_blas_ops()->gemv(transpose, m, n, alpha, a, lda, x, beta, y);
	y[0] *= 1.5;
}

static void
syrk_upper(bool transpose, int n, int k, double alpha, const double *a, int lda,
		   double beta, double *c, int ldc)
{
	matrix_blas_ops()->syrk(transpose, n, k, alpha, a, lda, beta, c, ldc);
	c[1] = 1.0;
}

static int
potrf_wrong(int n, double *a, int lda)
{
	int			result = matrix_blas_ops()->potrf(n, a, lda);

	a[0] *= 1.0 + 1e-6;
	return result;
}

static void
trsm_wrong(bool transpose, int n, int columns, const double *l, int ldl,
		   double *b, int ldb)
{
	matrix_blas_ops()->trsm(transpose, n, columns, l, ldl, b, ldb);
	b[(n - 1) * ldb + columns - 1] += 1e-3;
}

static void
trsm_right_nothing(bool transpose, int rows, int n, const double *l, int ldl,
				   double *b, int ldb)
{
	(void) transpose;
	(void) rows;
	(void) n;
	(void) l;
	(void) ldl;
	(void) b;
	(void) ldb;
}

static int
syevd_transposed(int n, double *a, int lda, double *values)
{
	int			result = matrix_blas_ops()->syevd(n, a, lda, values);

	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++)
		{
			double		swap = a[i * lda + j];

			a[i * lda + j] = a[j * lda + i];
			a[j * lda + i] = swap;
		}
	return result;
}

static void
test_self_test(void)
{
	MatrixOps	ops;

	CHECK(matrix_self_test(matrix_blas_ops()));
	CHECK(!matrix_self_test(NULL));
	ops = *matrix_blas_ops();
	ops.version = MATRIX_OPS_VERSION + 1;
	CHECK(!matrix_self_test(&ops));
	ops = *matrix_blas_ops();
	ops.gemm = gemm_last_column_wrong;
	CHECK(!matrix_self_test(&ops));
	ops = *matrix_blas_ops();
	ops.gemm_float = gemm_float_wrong;
	CHECK(!matrix_self_test(&ops));
	ops = *matrix_blas_ops();
	ops.gemv = gemv_wrong;
	CHECK(!matrix_self_test(&ops));
	ops = *matrix_blas_ops();
	ops.syrk = syrk_upper;
	CHECK(!matrix_self_test(&ops));
	ops = *matrix_blas_ops();
	ops.potrf = potrf_wrong;
	CHECK(!matrix_self_test(&ops));
	ops = *matrix_blas_ops();
	ops.trsm = trsm_wrong;
	CHECK(!matrix_self_test(&ops));
	ops = *matrix_blas_ops();
	ops.trsm_right = trsm_right_nothing;
	CHECK(!matrix_self_test(&ops));
	ops = *matrix_blas_ops();
	ops.syevd = syevd_transposed;
	CHECK(!matrix_self_test(&ops));
}

static void
test_random_reference(void)
{
	Random		random = {{1, 2, 3, 4}};

	/* first outputs of xoshiro256** from the state 1, 2, 3, 4, worked by hand */
	CHECK(random_bits(&random) == 11520);
	CHECK(random_bits(&random) == 0);
	CHECK(random_bits(&random) == 1509978240);
	CHECK(random_bits(&random) == UINT64_C(1215971899390074240));

	/* first outputs of splitmix64 from 0 are widely published */
	random_seed(&random, 0);
	CHECK(random.state[0] == UINT64_C(0xE220A8397B1DCDAF));
	CHECK(random.state[1] == UINT64_C(0x6E789E6AA1B965F4));
	CHECK(random.state[2] == UINT64_C(0x06C45D188009454F));
	CHECK(random.state[3] == UINT64_C(0xF88BB8A8724C81EC));
}

static void
test_random_distributions(void)
{
	Random		random;
	double		sum = 0.0;
	double		square = 0.0;
	double		lowest = 1.0;
	double		highest = 0.0;
	int			counts[7] = {0};
	int			n = 200000;

	random_seed(&random, 42);
	for (int i = 0; i < n; i++)
	{
		double		u = random_uniform(&random);

		lowest = fmin(lowest, u);
		highest = fmax(highest, u);
		sum += u;
	}
	CHECK(lowest >= 0.0 && lowest < 1e-4);
	CHECK(highest < 1.0 && highest > 1.0 - 1e-4);
	CHECK_NEAR(sum / n, 0.5, 0.004);

	sum = 0.0;
	for (int i = 0; i < n; i++)
	{
		double		x = random_normal(&random);

		sum += x;
		square += x * x;
	}
	CHECK_NEAR(sum / n, 0.0, 0.012);
	CHECK_NEAR(square / n, 1.0, 0.015);

	for (int i = 0; i < 70000; i++)
		counts[random_below(&random, 7)]++;
	for (int i = 0; i < 7; i++)
		CHECK(counts[i] > 9500 && counts[i] < 10500);
	CHECK(random_below(&random, 1) == 0);
}

static void
test_random_shuffle(void)
{
	Random		random;
	int			counts[3][3] = {{0}};
	int			order[3];

	random_seed(&random, 7);
	for (int round = 0; round < 30000; round++)
	{
		for (int i = 0; i < 3; i++)
			order[i] = i;
		random_shuffle(&random, order, 3);
		REQUIRE(order[0] + order[1] + order[2] == 3 && order[0] != order[1]);
		for (int i = 0; i < 3; i++)
			counts[i][order[i]]++;
	}
	for (int i = 0; i < 9; i++)
		CHECK(counts[i / 3][i % 3] > 9600 && counts[i / 3][i % 3] < 10400);
	random_shuffle(&random, order, 0);
}

static void
write_all(Writer *writer)
{
	static const float floats[3] = {1.5f, -2.25f, 0.0f};
	static const int16_t shorts[3] = {-32768, 5, 32767};
	static const uint64_t longs[2] = {1, UINT64_MAX};
	static const double doubles[2] = {0.1, -1e300};

	write_bytes(writer, "abc", 3);
	write_u32(writer, 0x01020304);
	write_u64(writer, UINT64_C(0x0102030405060708));
	write_double(writer, -1.0 / 3.0);
	write_floats(writer, floats, 3);
	write_i16s(writer, shorts, 3);
	write_u64s(writer, longs, 2);
	write_doubles_as_floats(writer, doubles, 2);
}

static void
test_buffer(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Writer		writer;
	Reader		reader;
	char		text[3];
	float	   *floats;
	int16_t    *shorts;
	uint64_t   *longs;
	double	   *doubles;

	writer_init(&writer, &caller);
	write_all(&writer);
	CHECK(!writer.failed);
	CHECK(writer.length == 3 + 4 + 8 + 8 + 12 + 6 + 16 + 8);
	CHECK(writer.bytes[3] == 4 && writer.bytes[6] == 1);	/* little-endian */

	reader_init(&reader, writer.bytes, writer.length);
	read_bytes(&reader, text, 3);
	CHECK(memcmp(text, "abc", 3) == 0);
	CHECK(read_u32(&reader) == 0x01020304);
	CHECK(read_u64(&reader) == UINT64_C(0x0102030405060708));
	CHECK(read_double(&reader) == -1.0 / 3.0);
	floats = read_floats(&reader, &caller, 3);
	shorts = read_i16s(&reader, &caller, 3);
	longs = read_u64s(&reader, &caller, 2);
	CHECK(reader_left(&reader) == 8);
	doubles = read_floats_as_doubles(&reader, &caller, 2);
	REQUIRE(!reader.failed && floats && shorts && longs && doubles);
	CHECK(floats[0] == 1.5f && floats[1] == -2.25f && floats[2] == 0.0f);
	CHECK(shorts[0] == -32768 && shorts[1] == 5 && shorts[2] == 32767);
	CHECK(longs[0] == 1 && longs[1] == UINT64_MAX);
	CHECK(doubles[0] == (double) 0.1f && doubles[1] == -INFINITY);
	CHECK(reader_left(&reader) == 0);
	release(&caller, floats);
	release(&caller, shorts);
	release(&caller, longs);
	release(&caller, doubles);

	/* one byte too far: zeros from then on, and no memory taken */
	memory.allocations = 0;
	CHECK(read_floats(&reader, &caller, 1) == NULL);
	CHECK(reader.failed && memory.allocations == 0);
	reader_init(&reader, writer.bytes, 10);
	CHECK(read_u64s(&reader, &caller, SIZE_MAX / 8 + 2) == NULL);
	CHECK(reader.failed && memory.allocations == 0);
	CHECK(read_u32(&reader) == 0 && read_double(&reader) == 0.0);
	CHECK(reader_left(&reader) == 0);
	memset(text, 'x', sizeof(text));
	read_bytes(&reader, text, sizeof(text));
	CHECK(text[0] == 0 && text[2] == 0);

	/* no memory is not the same as a short input */
	reader_init(&reader, writer.bytes, writer.length);
	memory.fail_at = 1;
	memory.allocations = 0;
	CHECK(read_i16s(&reader, &caller, 2) == NULL && !reader.failed);
	memory.fail_at = 0;
	release(&caller, writer.bytes);
	CHECK(memory.blocks == 0);
}

static void
test_writer_grows_and_fails(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Writer		writer;
	bool		equal = true;

	writer_init(&writer, &caller);
	for (uint32_t i = 0; i < 100000; i++)
		write_u32(&writer, i);
	CHECK(!writer.failed && writer.length == 400000);
	CHECK(memory.allocations < 20);
	for (uint32_t i = 0; i < 100000; i++)
	{
		Reader		reader;

		reader_init(&reader, writer.bytes + 4 * i, 4);
		equal = equal && read_u32(&reader) == i;
	}
	CHECK(equal);
	release(&caller, writer.bytes);

	for (int fail_at = 1; fail_at <= 2; fail_at++)
	{
		caller = unit_caller(&memory);
		memory.fail_at = fail_at;
		writer_init(&writer, &caller);
		for (uint32_t i = 0; i < 1000; i++)
			write_u32(&writer, i);
		CHECK(writer.failed);
		release(&caller, writer.bytes);
		CHECK(memory.blocks == 0);
	}
	caller = unit_caller(&memory);
	writer_init(&writer, &caller);
	write_u64s(&writer, NULL, SIZE_MAX / 8);
	CHECK(writer.failed && memory.allocations == 0);
}

/* Takes up to a number of bytes and counts the calls. */
typedef struct Sink
{
	unsigned char bytes[4096];
	size_t		length;
	size_t		room;
	int			calls;
} Sink;

static bool
take_bytes(void *state, const void *bytes, size_t length)
{
	Sink	   *sink = state;

	sink->calls++;
	if (length > sink->room - sink->length)
		return false;
	memcpy(sink->bytes + sink->length, bytes, length);
	sink->length += length;
	return true;
}

static void
test_writer_sink(void)
{
	UnitMemory	memory;
	Caller		caller = unit_caller(&memory);
	Writer		writer;
	Writer		kept;
	Sink		sink = {.room = sizeof(sink.bytes)};
	double		doubles[600];

	for (int i = 0; i < 600; i++)
		doubles[i] = i / 7.0;
	writer_init(&kept, &caller);
	writer_init_sink(&writer, take_bytes, &sink);
	write_all(&kept);
	write_all(&writer);
	write_doubles_as_floats(&kept, doubles, 600);
	write_doubles_as_floats(&writer, doubles, 600);
	CHECK(!writer.failed && writer.bytes == NULL && writer.length == kept.length);
	CHECK(sink.length == kept.length && memcmp(sink.bytes, kept.bytes, kept.length) == 0);
	release(&caller, kept.bytes);

	/* what has failed once is not asked again */
	for (size_t room = 0; room < sink.length; room += 61)
	{
		Sink		small = {.room = room};
		int			calls;

		writer_init_sink(&writer, take_bytes, &small);
		write_all(&writer);
		write_doubles_as_floats(&writer, doubles, 600);
		CHECK(writer.failed && small.length <= room);
		calls = small.calls;
		write_u32(&writer, 1);
		CHECK(small.calls == calls);
	}
	sink.calls = 0;
	writer_init_sink(&writer, take_bytes, &sink);
	write_u64s(&writer, NULL, SIZE_MAX / 8);
	CHECK(writer.failed && sink.calls == 0);
	CHECK(memory.blocks == 0);
}

int
main(void)
{
	CHECK(matrix == NULL);
	matrix = matrix_blas_ops();
	test_self_test();
	test_gemm();
	test_gemv();
	test_syrk();
	test_potrf_trsm();
	test_syevd();
	test_random_reference();
	test_random_distributions();
	test_random_shuffle();
	test_buffer();
	test_writer_grows_and_fails();
	test_writer_sink();
	return unit_end();
}
