# SPDX-License-Identifier: BSD-2-Clause-Patent
# Strict builds, static checks, and checks of the text. Every step runs, so that one call shows all there is to mend.

.PHONY: lint lint-man lint-build lint-headers lint-tidy lint-tidy-user lint-tidy-hv lint-modules lint-python lint-shell lint-text
lint: deps
	@$(MAKE) -k lint-text lint-shell lint-python lint-headers lint-build lint-man lint-tidy-user lint-tidy-hv lint-modules
	@echo 'lint: nothing to mend'

lint-text:
	@scripts/spec-tables --check
	@scripts/lint.py

lint-shell:
	@echo '  LINT    shell scripts'
	@{ grep -rlE '^#!/bin/(ba)?sh' scripts tests .ci mk $(wildcard host-backend guest-drivers); ls host-backend/shell/*; } | sort | xargs shellcheck

# What a run would only find when it comes by: names that are not there.
lint-python:
	@echo '  LINT    Python'
	@pyflakes3 tests scripts tests/run scripts/spec-tables

# Both kinds of build compile with -Werror: the oracle is in one, and not in the other.
# The manual pages come from the programs' own help.
lint-man: man
	@echo '  LINT    manual pages and units'
	@out=$$(for p in $(B)/man/*.[18]; do groff -man -ww -z $$p 2>&1; done); echo "$$out" | grep . && exit 1 || true
	@command -v systemd-analyze >/dev/null || exit 0; \
	dir=$$(mktemp -d $(B)/units.XXXXXX); \
	for u in host-backend/systemd/*.service; do sed "s,=/usr/bin/tessera,=$(CURDIR)/$(B)/host/tessera,g" $$u >$$dir/$$(basename $$u); done; \
	out=$$(systemd-analyze verify --man=no $$dir/*.service 2>&1 | grep -F "$$dir"); rm -rf $$dir; echo "$$out" | grep . && exit 1 || true

lint-build:
	@$(MAKE) VARIANT=default all unit-build fuzz-build
	@$(MAKE) VARIANT=release hv modules host
	@$(MAKE) VARIANT=release modules-next

# Every public header stands alone: in user space, and without any libc unless it is about Linux.
HEADERS := $(wildcard include/tessera/*.h proto/*.h)
HEADER_FLAGS := -fsyntax-only -Wall -Wextra -Werror $(INCLUDES) -x c
lint-headers:
	@echo '  LINT    $(words $(HEADERS)) headers, each alone'
	@for h in $(HEADERS); do \
		gcc -std=c11 -pedantic $(HEADER_FLAGS) $$h || exit 1; \
		grep -q '^#include <linux/' $$h || \
			gcc -std=c11 -ffreestanding -nostdinc -isystem $$(gcc -print-file-name=include) $(HEADER_FLAGS) $$h || exit 1; \
	done

# One file a call: given several, clang-tidy 14 carries the state of one over into the next and sees ghosts.
tidy = printf '%s\n' $(1) | xargs -P 2 -I{} sh -c 'out=$$(clang-tidy --quiet {} -- $(2) 2>/dev/null) || { echo "$$out"; exit 1; }'
TIDY_USER := $(wildcard proto/*.c host-backend/daemon/*.c host-backend/image/*.c host-backend/common/*.c host-backend/cli/*.c host-backend/examples/*.c)
TIDY_HV   := $(wildcard hv/core/*.c hv/x86/*.c)
lint-tidy: lint-tidy-user lint-tidy-hv
lint-tidy-user:
	@echo '  LINT    clang-tidy, $(words $(TIDY_USER)) files of user space'
	@$(call tidy,$(TIDY_USER),-std=gnu11 -D_GNU_SOURCE $(INCLUDES) -DTSR_ORACLE=1)
lint-tidy-hv:
	@echo '  LINT    clang-tidy, $(words $(TIDY_HV)) files of the hypervisor'
	@$(call tidy,$(TIDY_HV),-std=gnu11 -ffreestanding $(INCLUDES) -I hv -DTSR_ORACLE=1 -mgeneral-regs-only \
		-isystem $(DEPS)/libsodium/src/libsodium/include)

# clang-tidy does not get through the kernel's headers as gcc is told to read them, so the modules get cppcheck.
# Without the kernel's headers it takes kzalloc() for malloc(), cannot see through container_of() and list iterators, and knows
# no arithmetic on void pointers. Debian 13's reports as a finding how deep it looks.
CPPCHECK_NOT := uninitvar uninitdata nullPointerRedundantCheck nullPointerArithmeticRedundantCheck arithOperationsOnVoidPointer \
	unknownEvaluationOrder uselessAssignmentPtrArg normalCheckLevelMaxBranches
LINUX_SRCS := $(wildcard guest-drivers/*.c host-backend/module/*.c tests/system/modules/*.c)
lint-modules:
	@echo '  LINT    cppcheck, $(words $(LINUX_SRCS)) files of Linux modules'
	@[ -z '$(LINUX_SRCS)' ] || cppcheck -q --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
		$(CPPCHECK_NOT:%=--suppress=%) -D__KERNEL__ $(INCLUDES) $(LINUX_SRCS)
