# SPDX-License-Identifier: BSD-2-Clause-Patent
#
# Tessera's build. Everything is made under build/: build/deps is what comes from Debian, build/$(VARIANT) is ours.
# `make help` lists the targets. The parts' rules are in mk/, one file each; mk/README.md says how a part joins in.

# An ordinary user's has none of them on Debian, and depmod, mke2fs and sfdisk are there.
export PATH := $(PATH):/usr/sbin:/sbin

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

.PHONY: help
help:
	@echo 'make run           the narrated demonstration: a guest keeps its files on a disk that its host cannot read'
	@echo 'make shell         the same machine, with an interactive prompt on the host'
	@echo 'make test          install what is needed, build, unit tests and system tests'
	@echo 'make lint          strict builds, static checks, licence and spec checks'
	@echo
	@echo 'make deps          install the Debian packages (root) and fetch kernel and libsodium into build/deps'
	@echo 'make all           build everything: hv, modules, host, images'
	@echo 'make hv            the hypervisor                  make modules   the Linux modules of guest and host'
	@echo 'make host          tesserad and the tessera command'
	@echo 'make man           manual pages                    make install [DESTDIR=...] [PREFIX=/usr]'
	@echo 'make unit [T=name] unit tests, or one of them      make fuzz [FUZZ_TIME=60] [T=name]'
	@echo 'make torture       the long form of the hostile tests and of power cuts, hours, in segments that resume; [T="NAME..."], tests/torture.py --help'
	@echo 'make debug-kernel  the kernel with KASAN, lockdep and failing allocations that some of its segments run on; kept in build/deps'
	@echo 'make coverage      lines of the core that the unit tests run through'
	@echo 'make mutants       errors made in the core one by one, which unit tests have to notice [COUNT=200 SEED=1]'
	@echo 'make model         the life of tokens as a model, by SPIN [LONG=1]'
	@echo 'make deb           the Debian package             make image     a bootable disk with a Debian host (root)'
	@echo 'make test-image    the main job on that disk, by GRUB from BIOS and from UEFI (20 minutes); SUITE=trixie: Debian 13'
	@echo 'make test-readme   do what README.md says, in a new Debian and on the emulated machine (root, half an hour)'
	@echo 'make bench         instructions and world switches of an I/O, beside Xen, KVM and no hypervisor, each plain and encrypted: about half an hour;'
	@echo '                   [T="NAME..."] [SEEDS=3]; make bench-scaling, make bench-profile T=NAME L=rr4k:32; tests/bench/README.md'
	@echo 'make bare          boot the stock kernel on the emulated machine, without the hypervisor'
	@echo 'make clean         delete what was built           make distclean also what was fetched'
	@echo
	@echo 'VARIANT=default|release|noprotect|noack|noiotlb|noseal|badleaf|noleave|noend|unchecked|unsealed picks what is built, into build/VARIANT (now: $(VARIANT))'

include mk/config.mk
include mk/parts.mk
include mk/images.mk
include mk/tests.mk
include mk/debug.mk
include mk/bench.mk
include mk/lint.mk
