# swarm_reward: build, install and test with PGXS.
EXTENSION = swarm_reward
EXTVERSION = 0.1.0

MODULE_big = swarm_reward
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
SOURCE_HEADERS = $(wildcard src/*.h)

INSTALL_SQL = sql/$(EXTENSION)--$(EXTVERSION).sql
DATA_built = $(INSTALL_SQL)
DATA = $(wildcard sql/updates/*.sql)
EXTRA_CLEAN = $(INSTALL_SQL)

# The bits of every result must be the same everywhere: no contraction into
# fused multiply-adds, no value-changing optimisation, no machine-specific code.
PG_CFLAGS = -std=gnu11 -ffp-contract=off -fno-fast-math -fvisibility=hidden
PG_CONFIG ?= pg_config
ifdef WERROR
# as in CI; PostgreSQL's own headers are not ours to judge, hence -isystem
PG_CFLAGS += -Wall -Wextra -Werror
PG_CPPFLAGS = -isystem $(shell $(PG_CONFIG) --includedir-server)
endif

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(SOURCE_HEADERS)

$(INSTALL_SQL): $(sort $(wildcard sql/install/*.sql))
	cat $^ > $@
