# swarm_reward: build, install and test with PGXS.
EXTENSION = swarm_reward
EXTVERSION = 0.1.0

MODULE_big = swarm_reward
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
HEADERS_DEPS = $(wildcard src/*.h)

INSTALL_SQL = sql/$(EXTENSION)--$(EXTVERSION).sql
DATA_built = $(INSTALL_SQL)
DATA = $(wildcard sql/updates/*.sql)
EXTRA_CLEAN = $(INSTALL_SQL)

# The bits of every result must be the same everywhere: no contraction into
# fused multiply-adds, no value-changing optimisation, no machine-specific code.
PG_CFLAGS = -std=gnu11 -ffp-contract=off -fno-fast-math -fvisibility=hidden
ifdef WERROR
PG_CFLAGS += -Wall -Wextra -Werror
endif

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(HEADERS_DEPS)

$(INSTALL_SQL): $(sort $(wildcard sql/install/*.sql))
	cat $^ > $@
