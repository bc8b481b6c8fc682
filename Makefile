# humanloop: text classification with humans in the loop
#
#   make && make install    into the PostgreSQL of PG_CONFIG
#   make test               everything, from a bare machine on (see README.md)
#   make demo               the main job on real text; ENCODER=minilm: with a transformer
#   make bench              how fast and how good; see doc/benchmarks.md
#   make unit               the plain C rooms without a server
#   make fuzz               everything that takes bytes or SQL, with junk, for long
#   make installcheck       against a server that is already running
#   make dist

EXTENSION = humanloop
# The control file is the master of the version.
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" humanloop.control)
DATA = $(wildcard sql/humanloop--*.sql)
DOCS = $(wildcard doc/humanloop.md)

MODULE_big = humanloop
PGFILEDESC = "humanloop - text classification with humans in the loop"

# Only humanloop_blas knows BLAS: see src/math/matrix.h.
BLAS_SOURCES = src/math/matrix_blas.c src/math/matrix_module.c
BLAS_OBJS = $(BLAS_SOURCES:.c=.o)

# The rooms that know nothing of PostgreSQL ...
ROOM_SOURCES = src/encode/byte_pair.c \
	src/encode/charsmap.c \
	src/encode/decimal.c \
	src/encode/encode_combined.c \
	src/encode/encode_text.c \
	src/encode/encode_transformer.c \
	src/encode/encode_vector.c \
	src/encode/encode_words.c \
	src/encode/encoder.c \
	src/encode/gram_counts.c \
	src/encode/packed_terms.c \
	src/encode/safetensors.c \
	src/encode/svd.c \
	src/encode/tensor.c \
	src/encode/terms.c \
	src/encode/text_fit.c \
	src/encode/tokenizer.c \
	src/encode/transformer.c \
	src/encode/transformer_io.c \
	src/encode/transformer_make.c \
	src/encode/unicode.c \
	src/encode/unigram.c \
	src/encode/vocabulary.c \
	src/encode/word_rows.c \
	src/encode/word_table.c \
	src/encode/word_text.c \
	src/encode/word_vectors.c \
	src/encode/word_weights.c \
	src/encode/wordpiece.c \
	src/learn/acquisition.c \
	src/learn/agreement_statistics.c \
	src/learn/audit.c \
	src/learn/choose.c \
	src/learn/delta.c \
	src/learn/design.c \
	src/learn/drift.c \
	src/learn/drift_io.c \
	src/learn/epig.c \
	src/learn/explain.c \
	src/learn/forecast.c \
	src/learn/gathered.c \
	src/learn/handover.c \
	src/learn/head.c \
	src/learn/held_out.c \
	src/learn/information.c \
	src/learn/label_counts.c \
	src/learn/label_errors.c \
	src/learn/label_figures.c \
	src/learn/label_model.c \
	src/learn/label_voices.c \
	src/learn/metrics.c \
	src/learn/model.c \
	src/learn/model_io.c \
	src/learn/needed.c \
	src/learn/nested.c \
	src/learn/parts.c \
	src/learn/posterior.c \
	src/learn/requeue.c \
	src/learn/revision.c \
	src/learn/refine.c \
	src/learn/refine_io.c \
	src/learn/reliability.c \
	src/learn/seeds.c \
	src/learn/simulate.c \
	src/learn/span.c \
	src/learn/train.c \
	src/learn/uncertainty.c \
	src/learn/update.c \
	src/math/beta.c \
	src/math/buffer.c \
	src/math/matrix.c \
	src/math/random.c \
	src/math/student.c \
	src/math/tails.c \
	src/plot/figure.c \
	src/plot/svg.c \
	src/plot/text.c
# ... and those that do.
SERVER_SOURCES = src/humanloop.c \
	src/sql/agreement_functions.c \
	src/sql/annotator_functions.c \
	src/sql/api.c \
	src/sql/class_functions.c \
	src/sql/drift_functions.c \
	src/sql/encoder_functions.c \
	src/sql/explain_functions.c \
	src/sql/forecast_functions.c \
	src/sql/gold_functions.c \
	src/sql/handover_functions.c \
	src/sql/label_functions.c \
	src/sql/metrics_functions.c \
	src/sql/model_functions.c \
	src/sql/plot_functions.c \
	src/sql/predict.c \
	src/sql/predict_all.c \
	src/sql/predict_functions.c \
	src/sql/project_functions.c \
	src/sql/queue_functions.c \
	src/sql/review_functions.c \
	src/sql/role_type.c \
	src/sql/rule_functions.c \
	src/sql/simulate_functions.c \
	src/sql/source_ddl.c \
	src/sql/source_trigger.c \
	src/sql/suspect_functions.c \
	src/sql/target_functions.c \
	src/sql/train_functions.c \
	src/sql/unencoded_functions.c \
	src/store/agreement.c \
	src/store/asked.c \
	src/store/audit.c \
	src/store/cache.c \
	src/store/caller.c \
	src/store/candidates.c \
	src/store/change.c \
	src/store/classes.c \
	src/store/condition.c \
	src/store/copy.c \
	src/store/deploy.c \
	src/store/dispute.c \
	src/store/drift.c \
	src/store/encoder_choice.c \
	src/store/encoder_files.c \
	src/store/encoder_plan.c \
	src/store/feature.c \
	src/store/fit.c \
	src/store/gold.c \
	src/store/handover.c \
	src/store/input.c \
	src/store/input_columns.c \
	src/store/import_tokenizer.c \
	src/store/import_transformer.c \
	src/store/import_words.c \
	src/store/json_tree.c \
	src/store/label.c \
	src/store/learner.c \
	src/store/lease.c \
	src/store/lock.c \
	src/store/named_encoder.c \
	src/store/neighbours.c \
	src/store/options.c \
	src/store/parts.c \
	src/store/pool.c \
	src/store/prepare.c \
	src/store/privilege.c \
	src/store/project.c \
	src/store/queue.c \
	src/store/queue_view.c \
	src/store/reading.c \
	src/store/refresh.c \
	src/store/repeats.c \
	src/store/replay.c \
	src/store/remark.c \
	src/store/revise.c \
	src/store/role.c \
	src/store/row_batch.c \
	src/store/rule.c \
	src/store/rule_figures.c \
	src/store/rule_model.c \
	src/store/rule_votes.c \
	src/store/seed.c \
	src/store/session.c \
	src/store/settlement.c \
	src/store/several.c \
	src/store/shared_encoder.c \
	src/store/source.c \
	src/store/state.c \
	src/store/suspects.c \
	src/store/targets.c \
	src/store/train.c \
	src/store/train_figures.c \
	src/store/train_held_out.c \
	src/store/train_rules.c \
	src/store/train_soft.c \
	src/store/trigger.c \
	src/store/truth.c \
	src/store/unfinished.c \
	src/store/wake.c \
	src/store/work.c \
	src/worker/encoding.c \
	src/worker/launcher.c \
	src/worker/litter.c \
	src/worker/preparing.c \
	src/worker/ruling.c \
	src/worker/scoring.c \
	src/worker/training.c \
	src/worker/turn.c \
	src/worker/watching.c \
	src/worker/worker.c
OBJS = $(ROOM_SOURCES:.c=.o) $(SERVER_SOURCES:.c=.o)

# Install scripts share sql/ with the inputs of pg_regress, so no wildcard here.
REGRESS = install setup project sources labels source_labels train_predict \
	vectors unicode queue refresh privacy ddl ddl_recorded ddl_types ddl_broken triggers metrics rights owners visibility \
	worker hostile hostile_source names planted clients speechless damaged classes simulate audit forecast plot targets \
	unencoded inputs review encoder_files encoders encoders_hostile encoders_kinds word_vectors suspects \
	answers gold annotators ask handover drift rules
# Of these, what must go on to work with the objects of the versions before.
OLDER = 0.1.0 0.2.0 0.3.0 0.4.0
REGRESS_OLDER = setup project sources labels source_labels train_predict \
	vectors unicode queue refresh ddl ddl_broken triggers metrics worker
ISOLATION = encoders next next_repeatable several label classes repeatable train_train train_others drop renamed source_triggers deploy refresh settle
ISOLATION_OPTS = --inputdir=test/isolation
PROVE_TESTS ?= test/t/*.pl
# `make installcheck` runs TAP only where its Perl modules are installed.
ifneq ($(wildcard test/t/*.pl),)
TAP_TESTS := $(shell perl -MIPC::Run -e 'print 1' 2>/dev/null)
endif

# The server's own headers are not clean under -Wextra: name them as system's.
PG_CPPFLAGS = -Isrc -isystem $(includedir_server) -isystem $(includedir_internal)
# Of the plain C rooms.  What a builder says wins: make PG_CFLAGS=-O0 or COPT=-O0, for
# a debugger, come behind these, and where CFLAGS are given, they say how to optimise.
ROOM_CFLAGS := $(if $(findstring command line,$(origin CFLAGS)),,-O3) -fno-trapping-math
SHLIB_LINK = -lm $(HIDE_SYMBOLS)
HIDE_SYMBOLS = -Wl,--version-script=$(srcdir)/src/exports.map
BLAS_LIBS = $(or $(shell pkg-config --libs openblas lapacke 2>/dev/null),-lopenblas -llapacke)
BLAS_CFLAGS = $(shell pkg-config --cflags openblas lapacke 2>/dev/null)

EXTRA_CLEAN = $(BLAS_OBJS) $(BLAS_OBJS:.o=.bc) humanloop_blas.so build $(EXTENSION)-*.zip

# pg_config of the PATH, or Debian's, whichever can build (the client packages
# have a pg_config and parts of PGXS, too)
ifndef PG_CONFIG
PG_CONFIG := $(shell for c in pg_config /usr/lib/postgresql/15/bin/pg_config; do \
	if [ -f "$$($$c --includedir-server 2>/dev/null)/postgres.h" ]; then echo $$c; break; fi; done)
endif
PGXS := $(if $(PG_CONFIG),$(shell $(PG_CONFIG) --pgxs 2>/dev/null))

ifneq ($(wildcard $(PGXS)),)

# A server built with LLVM asks for bitcode, which needs its clang.
ifeq ($(shell command -v "$$(sed -n 's/^CLANG *= *//p' $(dir $(PGXS))../Makefile.global)"),)
override with_llvm = no
endif

include $(PGXS)

BLAS_MODULE = humanloop_blas$(DLSUFFIX)

# PGXS tracks no headers in a server built without dependency tracking.
$(OBJS) $(BLAS_OBJS) $(OBJS:.o=.bc): $(wildcard src/*.h src/*/*.h)
# Loops with a condition, as in an exponential, become vector instructions only where
# the compiler thinks that worthwhile and arithmetic raises no signals, which it never
# does here.
$(ROOM_SOURCES:.c=.o): override CFLAGS += $(ROOM_CFLAGS) $(PG_CFLAGS) $(COPT)
# An assertion that fails would end the whole server.
$(BLAS_OBJS): override CPPFLAGS += $(BLAS_CFLAGS) -DNDEBUG
$(shlib): src/exports.map

all: $(BLAS_MODULE)

$(BLAS_MODULE): $(BLAS_OBJS) src/exports.map
	$(LINK.shared) -o $@ $(BLAS_OBJS) $(LDFLAGS) $(LDFLAGS_SL) $(HIDE_SYMBOLS) $(BLAS_LIBS)

install: install-blas
uninstall: uninstall-more

.PHONY: install-blas uninstall-more
install-blas: all installdirs
	$(INSTALL_SHLIB) $(BLAS_MODULE) '$(DESTDIR)$(pkglibdir)/'

# A bench of the plain C rooms alone, as they are compiled for the server.
build/bench/%: test/bench/%.c $(ROOM_SOURCES:.c=.o) src/math/matrix_blas.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Isrc -o $@ $^ $(BLAS_LIBS) -lm

.PHONY: bench-build
bench-build: $(patsubst test/bench/%.c,build/bench/%,$(wildcard test/bench/*.c))

# PGXS forgets that it has installed DOCS without their directory.
uninstall-more:
	rm -f '$(DESTDIR)$(pkglibdir)/$(BLAS_MODULE)'
	rm -f $(addprefix '$(DESTDIR)$(docdir)/$(docmoduledir)'/,$(notdir $(DOCS)))

else

# What needs a server to build against says so; the rest works without.
.PHONY: all install uninstall installcheck
all install uninstall installcheck:
	@echo 'No PostgreSQL to build against: install postgresql-server-dev-15,' >&2
	@echo 'or pass PG_CONFIG=/path/to/pg_config' >&2
	@exit 1

.PHONY: clean
clean:
	rm -rf $(OBJS) $(OBJS:.o=.bc) humanloop.so $(EXTRA_CLEAN)

endif

.DEFAULT_GOAL := all

# The plain C rooms and their tests, without a server and under sanitizers.
UNIT_CFLAGS = -std=gnu11 -O1 -g -Wall -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all
UNIT_TESTS = $(patsubst test/unit/%.c,build/unit/%,$(sort $(wildcard test/unit/test_*.c)))
UNIT_OBJS = $(patsubst %.c,build/unit/%.o,$(ROOM_SOURCES) src/math/matrix_blas.c \
	$(filter-out test/unit/test_%.c,$(wildcard test/unit/*.c)))

# Programs that take any bytes: with inputs made at random here, and with those
# that coverage leads to, for which a compiler with libFuzzer is needed.
FUZZ_TARGETS = $(patsubst test/fuzz/%.c,build/fuzz/%,$(sort $(wildcard test/fuzz/fuzz_*.c)))
LIBFUZZER_TARGETS = $(FUZZ_TARGETS:build/fuzz/%=build/libfuzzer/%)
LIBFUZZER_CC ?= clang

.PHONY: unit unit-build fuzz fuzz-build libfuzzer-build
unit:
	@+test/tools/run_tests unit

unit-build: $(UNIT_TESTS)
fuzz-build: $(FUZZ_TARGETS)
libfuzzer-build: $(LIBFUZZER_TARGETS)

build/unit/%.o: %.c $(wildcard src/*/*.h test/unit/*.h test/fuzz/*.h)
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) $(PG_CFLAGS) $(BLAS_CFLAGS) -Isrc -c -o $@ $<

$(UNIT_TESTS): build/unit/%: build/unit/test/unit/%.o $(UNIT_OBJS)
	$(CC) $(UNIT_CFLAGS) -o $@ $^ $(BLAS_LIBS) -lm

$(FUZZ_TARGETS): build/fuzz/%: build/unit/test/fuzz/%.o build/unit/test/fuzz/driver.o $(UNIT_OBJS)
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -o $@ $^ $(BLAS_LIBS) -lm

build/libfuzzer/%.o: %.c $(wildcard src/*/*.h test/unit/*.h test/fuzz/*.h)
	@mkdir -p $(@D)
	$(LIBFUZZER_CC) $(UNIT_CFLAGS) -fsanitize=fuzzer-no-link $(BLAS_CFLAGS) -Isrc -c -o $@ $<

$(LIBFUZZER_TARGETS): build/libfuzzer/%: build/libfuzzer/test/fuzz/%.o $(UNIT_OBJS:build/unit/%=build/libfuzzer/%)
	$(LIBFUZZER_CC) $(UNIT_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(BLAS_LIBS) -lm

.SECONDARY: $(UNIT_TESTS:build/unit/%=build/unit/test/unit/%.o) \
	$(FUZZ_TARGETS:build/fuzz/%=build/unit/test/fuzz/%.o) \
	$(FUZZ_TARGETS:build/fuzz/%=build/libfuzzer/test/fuzz/%.o)

# On a bare machine PGXS is there only for the make that comes after setup.
# The lock is for two who start this in one tree.
JOBS = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))
.PHONY: test demo bench ready
ready:
	@test/tools/setup
	@+flock Makefile $(MAKE) -s $(JOBS) install

test: ready
	@+test/tools/run_tests

fuzz: ready
	@+test/tools/fuzz

demo: ready
	@test/tools/demo

bench: ready
	@test/bench/bench
	@test/bench/source_triggers
	@test/bench/loop
	@test/bench/simulate
	@test/bench/unseen
	@test/bench/rules
	@test/bench/audit
	@test/bench/handover
	@test/bench/sets
	@test/bench/drift_alarms
	@test/bench/crowd
	@test/bench/answers
	@test/bench/suspects
	@test/bench/disputes
	@test/bench/encoders

.PHONY: dist
dist:
	git archive --format=zip --prefix=$(EXTENSION)-$(EXTVERSION)/ -o $(EXTENSION)-$(EXTVERSION).zip HEAD

# Our types, for PostgreSQL's pgindent (add them to its own list).
.PHONY: typedefs.list
typedefs.list:
	@cat $(sort $(wildcard src/*.[ch] src/*/*.[ch])) | \
		sed -nE 's/^(typedef [^(]*[ *]|} )([A-Z][A-Za-z]+);.*/\2/p' | LC_ALL=C sort -u >$@

# The scripts in test/tools read the lists above through this.
print-%:
	@echo $($*)
