# ngx_egress: an egress gateway made of nginx modules
#
#   make run                        build, then run conf.d/quickstart.conf
#   make test                       build, then run every test
#
# Variables, with their defaults:
#
#   BUILD=build                     where everything is made
#   NGINX_SUITE=(this machine's)    Debian suite whose nginx is built
#   NGINX_SRC=                      or: a directory or a tarball of nginx
#   NGX_EGRESS_CACHE=build/cache    downloads, shared by all build directories
#   CC=cc OPT="-O2 -g"              compiler and its options
#   ASAN=                           1: AddressSanitizer and UBSan, by clang
#   DEBUG=1                         empty: without nginx's debug log
#   PREFIX=/usr/local/nginx         for make install
#   TESTS=t                         what make test runs
#   FUZZ_TIME=30                    seconds for each fuzzer

BUILD ?= build
NGINX_SUITE ?= $(shell . /etc/os-release; echo $${VERSION_CODENAME:-sid})
NGINX_SRC ?=
NGX_EGRESS_CACHE ?= $(CURDIR)/build/cache
OPT ?= -O2 -g
ASAN ?=
DEBUG ?= 1
PREFIX ?= /usr/local/nginx
TESTS ?= t
FUZZ_TIME ?= 30

ifeq ($(ASAN),1)
CC := clang
OPT := -O1 -g -fno-omit-frame-pointer
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
ASAN_OPT := $(SANITIZE) -fsanitize-ignorelist=$(CURDIR)/.ci/ubsan.ignore \
            -DNGX_DEBUG_PALLOC=1
PACKAGES := clang
endif

ifneq (,$(findstring clang,$(CC)))
PACKAGES := clang
endif

override B := $(abspath $(BUILD))
TREE := $(B)/nginx-src

WARNINGS := -Wextra -Wno-unused-parameter -Wshadow -Wmissing-prototypes \
            -Wstrict-prototypes -Wold-style-definition -Wvla \
            -Wnested-externs -Wdeclaration-after-statement -Wformat=2 \
            -Wno-format-nonliteral -Werror

# clones and build directories share what ccache knows

CCACHE := $(shell command -v ccache)
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1

# the recursive make takes its share of -jN when there is one

JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

CONFIGURE = --prefix=$(PREFIX) \
    --add-module=$(CURDIR) \
    --with-cc="$(strip $(CCACHE) $(CC))" \
    --with-cc-opt="$(strip $(OPT) $(ASAN_OPT) $(CC_OPT))" \
    --with-ld-opt="$(strip $(SANITIZE) $(LD_OPT))" \
    --with-pcre \
    --with-threads \
    --with-http_ssl_module \
    --with-http_v2_module \
    --with-http_realip_module \
    --with-http_stub_status_module \
    --with-http_auth_request_module \
    --with-stream \
    --with-stream_ssl_module \
    --with-stream_ssl_preread_module \
    --with-stream_realip_module \
    $(if $(DEBUG),--with-debug) \
    $(CONFIGURE_OPT)

ORIGIN := $(if $(NGINX_SRC),src:$(abspath $(NGINX_SRC)),suite:$(NGINX_SUITE))

# a file that changes only when its text does: what was made with other
# variables is made again

remember = mkdir -p $(B) && printf '%s\n' '$(1)' > $@.new \
    && { cmp -s $@.new $@ && rm $@.new || mv $@.new $@; }


.DEFAULT_GOAL := build

help: ## this text
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile; echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' \
	    Makefile

build: packages $(B)/nginx ## compile nginx with the modules: build/nginx

packages:
	@tools/packages build $(PACKAGES)

$(B)/nginx.origin: FORCE
	@$(call remember,$(ORIGIN))

$(B)/nginx.configure: FORCE
	@$(call remember,$(CONFIGURE) $(WARNINGS))

# the list, not the text: make knows about changes, but not about new headers

$(B)/nginx.headers: FORCE
	@$(call remember,$(sort $(wildcard ngx_*_module/*.h ngx_*_module/*/*.h)))

$(TREE).stamp: $(B)/nginx.origin tools/nginx-source tools/apt-private \
               | packages
	@tools/nginx-source $(ORIGIN) $(NGX_EGRESS_CACHE) $(TREE)
	@touch $@

# configure writes its headers anew, which would compile everything again: the
# old ones are put back, with their times, when they say the same

$(TREE)/objs/Makefile: $(TREE).stamp $(B)/nginx.configure config \
                       $(B)/nginx.headers config.make $(wildcard ngx_ws_proxy_module/config) \
                       | packages
	@cd $(TREE) && rm -rf objs/old && mkdir -p objs/old \
	    && cp -p objs/*.h objs/old 2> /dev/null || true
	@echo "configuring $(ORIGIN), $(CC), in $(BUILD)"
	@cd $(TREE) && ASAN_OPTIONS=detect_leaks=0 \
	    NGX_EGRESS_CFLAGS="$(strip $(WARNINGS))" \
	    $$(ls ./configure auto/configure 2> /dev/null | head -n1) $(CONFIGURE) \
	    > $(B)/configure.log || { tail -n20 $(B)/configure.log; exit 1; }
	@cd $(TREE)/objs && for h in *.h; do \
	    cmp -s $$h old/$$h && mv old/$$h $$h; done; rm -rf old
	@touch $@

$(B)/nginx: $(TREE)/objs/Makefile FORCE
	@+$(MAKE) $(JOBS) -s --no-print-directory -C $(TREE) -f objs/Makefile
	@ln -sf nginx-src/objs/nginx $@

FORCE:

.PHONY: help build packages
