# swarm_reward: build, install and test with PGXS.
#
#   make, make install, make installcheck   as for any extension; PG_CONFIG=… names the server
#   make demo                               the main job on real data  } each with all set-up,
#   make test                               every test                 } in a throwaway cluster
#   make test-versions                      every test on every server from 15 to 18 that is there
#   make digests                            writes anew what make test compares with: demo/digests, the guides' outputs
#   make test-slow                          the tests that take long: many kill -9
#   make bench                              how long things take, against peers, in a throwaway cluster
#   make bench-epoch                        how long an epoch takes, BENCH_NODES='100000 1000000'
#   make accuracy                           measures the figures of doc/accuracy.md
#   make sim                                simulated growth against what other networks pay, SIM=large for all of it
#   make fuzz                               libFuzzer on what reads bytes from outside, half an hour
#   make psql                               psql on an empty database of a throwaway cluster, to try the extension
#   make demo-psql                          the demo, then psql on its database
#   make explorer                           the demo, then a page to look at it
#   make pictures                           the pictures of that page in doc, by Chromium
#   make setup                              only installs the packages that make test needs
#   make check-c                            the unit tests of the pure C, which need no server
EXTENSION = swarm_reward
EXTVERSION = 1.0.0

MODULE_big = swarm_reward
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))
SOURCE_HEADERS = $(wildcard src/*/*.h)

INSTALL_SQL = sql/$(EXTENSION)--$(EXTVERSION).sql
DATA_built = $(INSTALL_SQL)
EXTRA_CLEAN = $(INSTALL_SQL) .build-id tmp_check demo/output

# pg_regress reads test/sql and expected/, pg_isolation_regress test/specs and expected/.
REGRESS := $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --load-extension=postgis --load-extension=$(EXTENSION)
ISOLATION := $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=postgis --load-extension=$(EXTENSION)

# The bits of every result must be the same everywhere: no contraction into
# fused multiply-adds, no value-changing optimisation, no machine-specific code.
SAME_BITS = -std=gnu11 -ffp-contract=off -fno-fast-math
# The server's own flags are those of the compiler that it was built with, which another may not know.
WARNINGS = -Wall -Wextra -Werror -Wno-unknown-warning-option -Wno-ignored-optimization-argument
# A function that is not declared would be taken for one of int, and sizes cut off.
PG_CFLAGS = $(SAME_BITS) -fvisibility=hidden -Werror=implicit-function-declaration

# Any server from 15 to 18 by PG_CONFIG=…; else the oldest of them that is installed with headers
ifeq ($(origin PG_CONFIG),undefined)
PG_CONFIG := $(or $(firstword $(shell tools/servers)),pg_config)
endif
ifdef WERROR
# as in CI; PostgreSQL's own headers are not ours to judge, hence -isystem
PG_CFLAGS += $(WARNINGS)
PG_CPPFLAGS = -isystem $(shell $(PG_CONFIG) --includedir-server)
endif
PG_CPPFLAGS += -I$(CURDIR)/src

.DEFAULT_GOAL = all

# What needs no server's makefiles: these also run where none is installed yet.
SELF_CONTAINED = demo psql demo-psql explorer pictures digests bench bench-epoch accuracy fuzz sim test test-slow test-versions setup check-c print-pure-c
NEEDS_PGXS = $(filter-out $(SELF_CONTAINED),$(or $(MAKECMDGOALS),all))

ifneq ($(NEEDS_PGXS),)
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
# Debian's server comes with the makefiles but not with the headers.
ifeq ($(and $(wildcard $(PGXS)),$(wildcard $(shell $(PG_CONFIG) --includedir-server)/postgres.h)),)
PG_MAJOR := $(shell $(PG_CONFIG) --version 2>/dev/null | sed 's/[^0-9]*\([0-9]*\).*/\1/')
$(error no PostgreSQL development files found through '$(PG_CONFIG)': install postgresql-server-dev-$(or $(PG_MAJOR),NN) \
(make setup does it on Debian), or name another server's pg_config with PG_CONFIG=…)
endif
include $(PGXS)

# The just-in-time compiler may inline the bitcode into a query: same bits there too. Clang makes it: with WERROR
# there is no warning of either compiler.
BITCODE_CFLAGS += $(SAME_BITS) $(if $(WERROR),$(WARNINGS))

$(OBJS) $(OBJS:.o=.bc): $(SOURCE_HEADERS) .build-id

# Loops made for vectors. Errors and traps of arithmetic are not looked at, values stay.
src/grid/disc.o src/grid/focal.o src/grid/sweep.o src/grid/tiles.o src/ledger/newcomer.o: CFLAGS += -O3 -fno-math-errno -fno-trapping-math
# Short loops that are twice as fast when they are unrolled.
src/money/keccak.o: CFLAGS += -O3

$(INSTALL_SQL): $(sort $(wildcard sql/1-kernel/*.sql)) $(sort $(wildcard sql/2-ledger/*.sql)) $(sort $(wildcard sql/3-operations/*.sql))
	cat $^ > $@

# Objects made for another server or with other flags are made anew.
BUILD_ID := $(shell $(PG_CONFIG) --version) $(CC) $(CPPFLAGS) $(CFLAGS)
.build-id: .force
	@echo '$(BUILD_ID)' | cmp -s - $@ || echo '$(BUILD_ID)' > $@
.PHONY: .force
endif

# The files that know nothing of the server, and the programs that test them:
# test/c/NAME.c is linked with all of PURE_C, with SR_STANDALONE defined and, where
# the reference HEALPix library chealpix is installed, HAVE_CHEALPIX too.
PURE_C = $(wildcard src/grid/*.c) $(filter-out src/base/aggregate.c src/base/port.c src/base/result.c src/base/wkb.c,$(wildcard src/base/*.c)) \
	src/coverage/digest.c src/ledger/newcomer.c \
	$(addprefix src/money/,apportion.c decimal.c keccak.c wide.c) \
	$(addprefix src/telemetry/,latency.c wilson.c)
C_TESTS = $(patsubst test/c/%.c,tmp_check/c/%,$(sort $(wildcard test/c/*.c)))
# COPT comes last, as for the extension itself: test/slow/sanitize adds to the flags by it.
C_TEST_FLAGS = $(SAME_BITS) $(WARNINGS) -O2 -g -Isrc -DSR_STANDALONE $(COPT)
C_TEST_LIBS = -lm
ifneq ($(wildcard /usr/include/chealpix.h),)
C_TEST_FLAGS += -DHAVE_CHEALPIX
C_TEST_LIBS := -lchealpix $(C_TEST_LIBS)
endif

# compiled once for all of the programs
PURE_O = $(patsubst src/%.c,tmp_check/c/pure/%.o,$(PURE_C))
.SECONDARY: $(PURE_O)
tmp_check/c/pure/%.o: src/%.c $(SOURCE_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(C_TEST_FLAGS) -c -o $@ $<

tmp_check/c/%: test/c/%.c $(PURE_O) $(SOURCE_HEADERS) $(wildcard test/c/*.h)
	@mkdir -p $(@D)
	$(CC) $(C_TEST_FLAGS) -o $@ $< $(PURE_O) $(C_TEST_LIBS)

check-c: $(C_TESTS)
	@set -e; for t in $(C_TESTS); do echo "# $$t"; $$t; done

# for test/layers
print-pure-c:
	@echo $(PURE_C)

demo psql demo-psql explorer pictures digests bench bench-epoch accuracy fuzz sim test test-slow setup: export SR_PG_CONFIG = $(if $(filter file,$(origin PG_CONFIG)),,$(PG_CONFIG))
demo:
	@tools/run-demo
psql:
	@tools/run-demo empty
demo-psql:
	@tools/run-demo psql
explorer:
	@tools/run-demo explorer
pictures:
	@tools/run-demo pictures
digests:
	@tools/run-demo digests
bench:
	@bench/run
bench-epoch:
	@bench/epoch
accuracy:
	@bench/accuracy
fuzz:
	@test/fuzz/run
sim:
	@sim/run
test:
	@tools/run-tests
test-slow:
	@tools/run-slow-tests
test-versions:
	@tools/test-versions
setup:
	@tools/setup test

.PHONY: demo psql demo-psql explorer pictures digests bench bench-epoch accuracy fuzz sim test test-slow test-versions setup check-c print-pure-c
