# SPDX-License-Identifier: GPL-2.0
#
# tbtf - a wrapper: what is built stands in Kbuild, userspace/ and selftests/
#
# Copyright (C) 2026 The tbtf authors

# `make help` lists what there is. Everything generated goes below .output/.
MAKEFLAGS	+= --no-print-directory
TOP		:= $(CURDIR)
OUTPUT		:= $(TOP)/.output
VERSION		:= 0.1
PREFIX		?= /usr/local
export OUTPUT VERSION PREFIX DESTDIR

ifneq ($(V),1)
Q := @
endif

# Whether the caller said which kernel.
kernel_given	:= $(strip $(foreach v,KVER KERNELDIR,$(filter command environment,$(firstword $(origin $(v))))))

# The kernel to build for: KERNELDIR=, or KVER=, or the running one, or, where
# that has no headers, the newest that has. KVER=6.12 is short for a kernel of
# Debian's, and one whose headers are not installed is fetched (selftests/vm/kernel):
# before anything else, for then its name is known, but only where one is needed.
release		= $(shell sed -n 's/^.define UTS_RELEASE "\(.*\)"/\1/p' \
			$(1)/include/generated/utsrelease.h 2>/dev/null)
have_headers	= $(patsubst %/include/generated/utsrelease.h,%,$(firstword $(wildcard \
			$(addsuffix /include/generated/utsrelease.h,/lib/modules/$(1)/build /usr/src/linux-headers-$(1)))))
fetched_headers	= $(patsubst %/,%,$(dir $(wildcard $(OUTPUT)/cache/kernel/$(1)/build/Makefile)))
kernel_goals	:= $(filter all kernel-found mirror kmod selftests install uninstall vm-%,$(or $(MAKECMDGOALS),all))
newest_headers	= $(lastword $(shell ls -d /lib/modules/*/build/include/generated \
			/usr/src/linux-headers-*/include/generated 2>/dev/null | \
			sed 's,/lib/modules/,,; s,/usr/src/linux-headers-,,; s,/.*,,' | sort -uV))
ifneq ($(KERNELDIR),)
KVER		:= $(call release,$(KERNELDIR))
else
ifneq ($(and $(kernel_given),$(kernel_goals)),)
ifeq ($(call have_headers,$(KVER)),)
override KVER	:= $(or $(shell selftests/vm/kernel -n '$(KVER)'),$(error no kernel $(KVER)))
ifneq ($(if $(call have_headers,$(KVER))$(call fetched_headers,$(KVER)),,$(filter %-cloud-amd64,$(KVER))),)
fetched		:= $(or $(shell selftests/vm/kernel '$(KVER)'),$(error no kernel $(KVER)))
endif
endif
endif
KVER		?= $(or $(if $(call have_headers,$(shell uname -r)),$(shell uname -r)),$(newest_headers))
KVER		:= $(KVER)
KERNELDIR	:= $(if $(KVER),$(or $(call have_headers,$(KVER)),$(call fetched_headers,$(KVER))))
endif
# What builds for it. Tools made for a newer C library run in a root of their own.
build_root	:= $(if $(filter $(OUTPUT)/%,$(KERNELDIR)),$(wildcard $(OUTPUT)/cache/kernel/$(KVER)/root))
KBUILD		= $(if $(build_root),selftests/vm/inroot $(build_root) )$(MAKE) -C $(KERNELDIR)
KMOD		:= $(OUTPUT)/kmod/$(KVER)

# clang cannot build for a kernel that gcc built, but it can read the sources. The
# other tools stay as they are: LLVM=1 would ask for a linker, an archiver, ...
ifneq ($(LLVM),)
ifneq ($(shell grep -sx CONFIG_CC_IS_CLANG=y $(KERNELDIR)/.config),)
KMOD_ARGS	:= LLVM=$(LLVM)
else
KMOD		:= $(OUTPUT)/kmod-clang/$(KVER)
KMOD_ARGS	:= LLVM= CC=$(TOP)/kmod/compat/clang OBJECT_FILES_NON_STANDARD=y objtool-enabled=
endif
endif

# The kernel of the VMs: Debian's cloud kernel, small and quick to boot.
VM_KVER		= $(patsubst /usr/src/linux-headers-%,%,$(lastword $(shell \
			ls -d /usr/src/linux-headers-*-cloud-amd64 2>/dev/null | sort -V)))

all: kmod userspace selftests

help:
	@echo 'make                 module, user space and tests, for the running kernel or the'
	@echo '                     newest whose headers are installed'
	@echo 'make KVER=6.1.0-1-x  ... for that kernel; KERNELDIR=DIR: for that build tree'
	@echo 'make install         module, command, library, manual pages (DESTDIR=, PREFIX=)'
	@echo 'make uninstall       the opposite'
	@echo 'make demo            watch all rungs, in VMs: sacrifice, steal, print, crash'
	@echo 'make check           all tests, in VMs; TESTS="test_a test_b": only these'
	@echo 'make check KVER=6.12 ... on the newest kernel 6.12 of Debian (7.3, 6.12+deb12, newest)'
	@echo 'make check-smoke     a few of them: KVER= another kernel, in some minutes'
	@echo 'make check-debug     all tests on a kernel with KASAN, lockdep, kmemleak, fault injection'
	@echo '                     (built once: 15 minutes and more); check-debug-smoke: some of them'
	@echo 'make check-matrix    all tests on all supported kernels: $(KERNELS)'
	@echo 'make check-kernel    the selftests of the kernel itself, with the module and without'
	@echo 'make check-report    the tests of the host, with a browser and Prometheus'
	@echo 'make bench           the figures, in VMs'
	@echo 'make bench-lend      the lender beside other NBD servers, on this machine'
	@echo 'make fuzz            what strangers can send to a lender, for FUZZ_SECONDS=3600 each'
	@echo 'make soak            all of it at once, for SOAK_HOURS=2, in VMs (selftests/soak/run)'
	@echo 'make style           checkpatch, both compilers, sparse, and our own rules'
	@echo 'make deps            install the Debian packages that these need'
	@echo 'make kmod|bpf|userspace|selftests    one part'
	@echo 'make clean           what was built; distclean: the downloads as well'
	@echo 'V=1 shows commands; LLVM=1 builds with clang (for a kernel that gcc built: to see'
	@echo 'its warnings, in .output/kmod-clang)'

# --- module ---------------------------------------------------------------

kernel-found:
ifeq ($(wildcard $(KERNELDIR)/include/generated/utsrelease.h),)
ifneq ($(and $(kernel_given),$(filter-out file,$(origin KERNELDIR))),)
	@echo 'make: KERNELDIR=$(KERNELDIR) is no kernel build tree' >&2
else
	@echo 'make: no kernel headers$(if $(KVER), for $(KVER),: neither for the running kernel nor any other)' >&2
	@echo 'make: install the package linux-headers-$(or $(KVER),$(shell uname -r)), or linux-headers-cloud-amd64' >&2
endif
	@exit 1
endif

# kbuild writes beside the sources, so it is given links to them: the tree
# stays clean, and several kernels can be built for side by side. Where it finds
# no vmlinux, type information is added afterwards.
mirror: kernel-found
	$(Q)mkdir -p $(KMOD)
	$(Q)cp -rsu --remove-destination $(TOP)/kmod $(TOP)/Kbuild $(KMOD)/
	$(Q)find $(KMOD) -xtype l -delete

kmod: mirror
	@echo '  KMOD    $(KVER)'
	+$(Q)flock $(KMOD)/.lock $(KBUILD) M=$(KMOD) $(KMOD_ARGS) \
		$(if $(wildcard $(KERNELDIR)/vmlinux),,CONFIG_DEBUG_INFO_BTF_MODULES=) modules
	$(Q)bpf/kernel-btf $(KVER) $(KERNELDIR) $(KMOD)/tbtf.ko

# --- user space and tests -------------------------------------------------

# Without its tools there are no eBPF programs, and the command says so when asked.
bpf:
	$(Q)$(MAKE) -C bpf OUTPUT=$(OUTPUT)/bpf KVER=$(or $(KVER),-) KERNELDIR=$(or $(KERNELDIR),-)

userspace: bpf
	$(Q)$(MAKE) -C userspace OUTPUT=$(OUTPUT)/userspace BPF=$(OUTPUT)/bpf all

selftests: userspace kselftest
	$(Q)$(MAKE) -C selftests OUTPUT=$(OUTPUT)/selftests KVER=$(KVER) KBUILD='$(KBUILD)' all

# The kernel's own selftests.
kernel-selftests: kselftest
	$(Q)$(MAKE) -C selftests/kernel OUTPUT=$(OUTPUT)/selftests/kernel LINUX=$(LINUX)

# --- install --------------------------------------------------------------

# Debian's headers have no System.map, without which kbuild leaves out depmod.
install: kmod userspace
	$(Q)$(MAKE) -C $(KERNELDIR) M=$(KMOD) INSTALL_MOD_PATH=$(DESTDIR) INSTALL_MOD_STRIP=1 \
		CONFIG_MODULE_SIG_ALL= modules_install
	$(if $(DESTDIR),,depmod $(KVER))
	$(Q)$(MAKE) -C userspace OUTPUT=$(OUTPUT)/userspace BPF=$(OUTPUT)/bpf install

uninstall: kernel-found
	rm -f $(DESTDIR)/lib/modules/$(KVER)/extra/tbtf.ko* $(DESTDIR)/lib/modules/$(KVER)/updates/tbtf.ko*
	$(if $(DESTDIR),,depmod $(KVER))
	$(Q)$(MAKE) -C userspace OUTPUT=$(OUTPUT)/userspace uninstall

# --- what runs in VMs -----------------------------------------------------

# Each first installs what is missing, then starts over: only then is it known
# which kernel there is.
check check-smoke check-kernel demo bench soak: deps
	$(Q)$(MAKE) kselftest vm-kernel $(if $(kernel_given),,KVER=$(VM_KVER))
	$(Q)$(MAKE) vm-$@ $(if $(kernel_given),,KVER=$(VM_KVER))

# What is supported, by the names that selftests/vm/kernel knows.
KERNELS		?= 6.1 6.12+deb12 6.12+deb13 newest
# What shows in some minutes whether the module works on a kernel at all.
SMOKE		:= test_load test_prctl test_device test_cgroup_role test_knobs test_trace \
	test_global test_memcg test_exhausted

# On a kernel that checks everything: selftests/vm/debug builds it, once. It takes
# more memory (KASAN alone an eighth) and several times as long.
DEBUG_PATIENCE	?= 5
DEBUG_MEMORY	?= 119+60
# In about three minutes where nothing else runs: each allocation of every door refused,
# and what cgroups do in their life.
DEBUG_SMOKE	:= test_fault_doors test_cgroup_role

check-debug: deps
	$(Q)kernel=$$(selftests/vm/debug) && set -- $$kernel && \
		$(MAKE) vm-check-debug KVER=$$1 KERNELDIR=$$2/build VM_KERNEL_DIR=$$2

check-debug-smoke:
	$(Q)$(MAKE) check-debug TESTS='$(DEBUG_SMOKE)'

vm-check-debug: all
	$(Q)VM_KERNEL_DIR=$(VM_KERNEL_DIR) VM_PATIENCE=$(DEBUG_PATIENCE) VM_MEMORY=$(DEBUG_MEMORY) \
		VM_EFFORT=10 selftests/vm/run -k $(KVER) \
		$(or $(TESTS),$(basename $(notdir $(wildcard selftests/test_*.c selftests/test_*.sh))))

check-matrix: deps
	$(Q)selftests/vm/matrix '$(KERNELS)' $(TESTS)

# The tests of the host with what is too large to be installed for every
# `make check`: a browser, and Prometheus.
check-report: PACKAGES += chromium prometheus prometheus-node-exporter systemd
check-report: deps
	$(Q)TBTF_BROWSER=needed TBTF_PROMETHEUS=needed selftests/host/run.sh

vm-kernel:
	$(Q)selftests/vm/kernel $(KVER) >/dev/null

vm-check: all kernel-selftests vm-kernel
	$(Q)selftests/vm/selfcheck
	$(Q)selftests/kernel/selfcheck
	$(Q)selftests/vm/run -k $(KVER) $(TESTS)

vm-check-smoke:
	$(Q)$(MAKE) vm-check TESTS='$(SMOKE)'

vm-check-kernel: all kernel-selftests vm-kernel
	$(Q)selftests/kernel/selfcheck
	$(Q)selftests/kernel/run -k $(KVER) -a -j 2 $(TESTS)

vm-demo: kmod userspace vm-kernel
	$(Q)$(MAKE) -C selftests OUTPUT=$(OUTPUT)/selftests demo
	$(Q)selftests/demo/demo -k $(KVER)

vm-bench: all vm-kernel
	$(Q)selftests/bench/bench -k $(KVER)

FUZZ_SECONDS	?= 3600

fuzz: deps
	$(Q)selftests/fuzz/fuzz $(FUZZ_SECONDS)

# On the machine itself: it is ratios that count, and an emulator has others.
bench-lend: PACKAGES += nbdkit nbd-server
bench-lend: deps
	$(Q)$(MAKE) kselftest userspace
	$(Q)$(MAKE) -C selftests OUTPUT=$(OUTPUT)/selftests $(OUTPUT)/selftests/load
	$(Q)selftests/bench/lender.sh

vm-soak: all vm-kernel
	$(Q)selftests/soak/run -k $(KVER)

# --- style ----------------------------------------------------------------

style: deps
	$(Q)$(MAKE) vm-style $(if $(kernel_given),,KVER=$(VM_KVER))

vm-style: kernel-found kselftest
	$(Q)selftests/lint/lint $(KVER)

# --- what is needed -------------------------------------------------------

PACKAGES := gcc libc6-dev make kmod cpio xz-utils perl pkg-config sparse groff-base busybox-static \
	e2fsprogs qemu-system-x86 linux-headers-cloud-amd64 linux-source-6.1 pahole \
	clang bpftool libbpf-dev libelf-dev zlib1g-dev libncurses-dev tmux lz4 procps nbdkit \
	nbd-client libsystemd-dev libjson-c-dev libnl-genl-3-dev libinih-dev libssl-dev \
	libnbd-bin qemu-utils fio openssl libclang-rt-dev

# For a kernel of another release: its root needs mmdebstrap.
KERNEL_PACKAGES := mmdebstrap
ifneq ($(and $(kernel_given),$(filter-out 6.1 6.1.%,$(KVER))),)
ifeq ($(KERNELDIR)$(call have_headers,$(KVER)),)
PACKAGES += $(KERNEL_PACKAGES)
endif
endif
check-matrix: PACKAGES += $(KERNEL_PACKAGES)
# What reads the sources a second time; nothing is built by it.
style: PACKAGES += clang shellcheck

# To build the debug kernel.
check-debug: PACKAGES += flex bison bc libelf-dev

deps:
	$(Q)missing=; for p in $(PACKAGES); do \
		dpkg-query -W -f '$${db:Status-Status}\n' $$p 2>/dev/null | grep -qx installed || \
			missing="$$missing $$p"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	if ! command -v apt-get >/dev/null; then \
		echo "make: not a Debian system; what these packages hold is needed:$$missing" >&2; \
		exit 1; \
	fi; \
	if [ "$$(id -u)" != 0 ]; then \
		echo "make: missing packages. As root: apt-get install --no-install-recommends$$missing" >&2; \
		exit 1; \
	fi; \
	export DEBIAN_FRONTEND=noninteractive; mkdir -p $(OUTPUT); \
	echo "  APT     update"; apt-get -qq update || exit 1; \
	echo "  APT    $$missing"; \
	apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends $$missing \
		> $(OUTPUT)/apt.log 2>&1 || { cat $(OUTPUT)/apt.log >&2; exit 1; }

# From the kernel's source package: its test headers, checkpatch, its own
# selftests. Never committed.
LINUX		:= $(OUTPUT)/cache/linux
LINUX_SOURCE	= $(lastword $(shell ls /usr/src/linux-source-*.tar.xz 2>/dev/null | sort -V) \
			$(wildcard /usr/src/linux-source-6.1.tar.xz))
LINUX_FILES	:= $(addprefix tools/testing/selftests/,kselftest.h kselftest_harness.h lib.mk \
			cgroup clone3/clone3_selftests.h pidfd/pidfd.h prctl vm) \
	scripts/checkpatch.pl scripts/spelling.txt scripts/const_structs.checkpatch \
	scripts/extract-vmlinux drivers/watchdog/i6300esb.c

kselftest: $(addprefix $(LINUX)/,$(LINUX_FILES))

$(addprefix $(LINUX)/,$(LINUX_FILES)) &:
	@[ -n "$(LINUX_SOURCE)" ] || \
		{ echo 'make: the package linux-source-6.1 is needed (make deps)' >&2; exit 1; }
	@echo '  UNPACK  $(notdir $(LINUX_SOURCE))'
	$(Q)mkdir -p $(LINUX)
	$(Q)xz -T0 -dc $(LINUX_SOURCE) | tar -x --strip-components=1 -C $(LINUX) \
		$(addprefix $(basename $(basename $(notdir $(LINUX_SOURCE))))/,$(LINUX_FILES))

# --------------------------------------------------------------------------

clean:
	rm -rf $(OUTPUT)/fuzz $(OUTPUT)/kmod $(OUTPUT)/kmod-clang $(OUTPUT)/bpf $(OUTPUT)/userspace $(OUTPUT)/selftests $(OUTPUT)/results $(OUTPUT)/matrix $(OUTPUT)/vm $(OUTPUT)/lint

distclean:
	rm -rf $(OUTPUT)

.PHONY: all help kernel-found mirror kmod bpf userspace selftests install uninstall check check-smoke \
	check-kernel check-matrix check-debug check-debug-smoke vm-check-debug demo bench soak \
	vm-kernel vm-check vm-check-smoke vm-check-kernel kernel-selftests vm-style vm-demo vm-bench \
	vm-soak bench-lend fuzz style deps kselftest clean distclean check-report
