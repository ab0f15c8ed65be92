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
#   CONF=quickstart                 the example in conf.d that make run runs
#   TESTS=t                         what make test runs
#   AGAIN=                          N: run what failed up to N times more, alone
#   FUZZ_TIME=30                    seconds for each fuzzer

BUILD ?= build
NGINX_SUITE ?= $(shell . /etc/os-release; echo $${VERSION_CODENAME:-sid})
NGINX_SRC ?=
NGX_EGRESS_CACHE ?= $(CURDIR)/build/cache
OPT ?= -O2 -g
ASAN ?=
DEBUG ?= 1
PREFIX ?= /usr/local/nginx
CONF ?= quickstart
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
    --with-select_module \
    --with-poll_module \
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

# conf.d is linked into the prefix, so that what a configuration names without a
# path (certificates, users) is looked for there and not in the repository

run: build $(B)/run/conf/cert.pem ## run the quick start in the foreground, in build/run
	@mkdir -p $(B)/run/logs
	@ln -sf $(CURDIR)/conf.d/* $(B)/run/conf/
	$(B)/nginx -p $(B)/run/ -e stderr -c conf/$(CONF).conf -g 'daemon off;'

$(B)/run/conf/cert.pem:
	@mkdir -p $(@D)
	@openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -days 3650 -subj /CN=localhost \
	    -addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 \
	    -keyout $(@D)/cert.key -out $@ 2> /dev/null


# Tests.  Test::Nginx picks ports and a servroot of its own for each file, so
# files run side by side; EgressGuard fails a file whose nginx logged an alert
# or a sanitizer's report.

PROVE = PERL5LIB=$(CURDIR)/t/lib:$$(tools/test-nginx $(NGX_EGRESS_CACHE)) \
    TEST_NGINX_BINARY=$(B)/nginx \
    TEST_NGINX_RANDOMIZE=1 \
    ASAN_OPTIONS=detect_leaks=0,log_path=$(B)/sanitizer \
    UBSAN_OPTIONS=print_stacktrace=1,log_path=$(B)/sanitizer \
    tools/prove $(B) -j$(PROVE_JOBS) --exec 'perl -MEgressGuard' $(PROVE_OPT)

PROVE_JOBS ?= $(shell nproc)
export AGAIN

test: build unit ## build and run every test, or TESTS="t/egress/x.t ..."
	@tools/packages test
	@rm -f $(B)/sanitizer*
	@status=0; $(PROVE) -r $(TESTS) || status=1; \
	if ls $(B)/sanitizer* > /dev/null 2>&1; then \
	    cat $(B)/sanitizer*; status=1; fi; exit $$status

asan: ## the same with an AddressSanitizer and UBSan binary
	@$(MAKE) --no-print-directory BUILD=$(BUILD)-asan ASAN=1 test

# Some minutes of what has many ways to go wrong.  Each object of a pool is an
# allocation of its own, so that valgrind sees where it ends.

VALGRIND_TESTS ?= $(patsubst %,t/egress/%.t,http_connect http_errors \
    http_lifecycle http_forward http_forward_keepalive connect_abort \
    connect_race connect_tls relay relay_half_close resolver resolver_c_ares \
    socks sni_proxy stream_early tcp_stream variables) \
    t/divert/divert_accept.t t/divert/divert_pass.t

valgrind: ## some tests under valgrind, or VALGRIND_TESTS="t/egress/x.t ..."
	@tools/packages test valgrind
	@$(MAKE) --no-print-directory BUILD=$(BUILD)-valgrind \
	    CC_OPT="$(CC_OPT) -DNGX_DEBUG_PALLOC=1" build valgrind-run

valgrind-run:
	@TEST_NGINX_VALGRIND=1 $(PROVE) $(VALGRIND_TESTS)


# The codecs are tested without nginx.  The first lines of a test name what it
# is linked with, relative to ngx_egress_module: /* link: proto/x.c y.c -lz */

NGX_INCS = $(addprefix -I,$(addprefix $(TREE)/,src/core src/event \
    src/event/modules src/event/quic src/os/unix objs) \
    $(CURDIR)/ngx_egress_module $(CURDIR)/ngx_ws_proxy_module)

LINKED = $$(sed -n '1,5s|^/\* link: \(.*\) \*/$$|\1|p' $< | tr ' ' '\n' \
    | sed '/^[^-]/s|^|ngx_egress_module/|')

CODECS := $(wildcard ngx_*_module/*.h ngx_*_module/*/*.h \
    ngx_egress_module/proto/*.c ngx_ws_proxy_module/*.c)

UNIT := $(patsubst t/unit/%.c,$(B)/unit/%,$(wildcard t/unit/test_*.c))
FUZZ := $(patsubst t/fuzz/%.c,$(B)/fuzz/%,$(wildcard t/fuzz/fuzz_*.c))

# sections: a test is linked with what it calls, not with the setters beside it

UNIT_FLAGS = -g -O1 -Wall $(WARNINGS) -fno-omit-frame-pointer \
    -ffunction-sections -fdata-sections -Wl,--gc-sections \
    -fsanitize=address,undefined -fno-sanitize-recover=undefined

$(B)/unit/%: t/unit/%.c $(wildcard t/unit/*.h) $(CODECS)
	@mkdir -p $(@D)
	@echo "$< $$(echo $(LINKED))"
	@$(CC) $(UNIT_FLAGS) $(NGX_INCS) -It/unit -o $@ $< $(LINKED) -lm

$(B)/fuzz/%: t/fuzz/%.c $(wildcard t/fuzz/*.h t/unit/*.h) $(CODECS)
	@mkdir -p $(@D)
	@echo "$< $$(echo $(LINKED))"
	@clang $(UNIT_FLAGS) -fsanitize=fuzzer $(NGX_INCS) -It/fuzz -It/unit \
	    -o $@ $< $(LINKED)

unit: $(TREE)/objs/Makefile ## build and run the unit tests of the codecs
	@+$(MAKE) $(JOBS) -s --no-print-directory unit-programs
	@$(if $(UNIT),prove -j$(PROVE_JOBS) --exec '' $(UNIT),echo no unit tests)

unit-programs: $(UNIT)

fuzz: $(TREE)/objs/Makefile ## fuzz each codec for FUZZ_TIME seconds
	@tools/packages clang
	@+$(MAKE) $(JOBS) -s --no-print-directory fuzz-programs
	@tools/fuzz $(B)/fuzz $(FUZZ_TIME) $(FUZZ)

fuzz-programs: $(FUZZ)


# Checks of the code itself.  Each first proves that it can fail.

lint: $(TREE)/objs/Makefile ## style, layers, format strings, documentation
	@prove -j$(PROVE_JOBS) t/tools
	@bad=0; for tool in style layers formats docs; do \
	    echo tools/$$tool; tools/$$tool || bad=1; done; exit $$bad

bench: ## build without debug log and measure against nginx's stream proxy
	@$(MAKE) --no-print-directory BUILD=$(BUILD)-bench DEBUG= build
	@bench/run $(abspath $(BUILD)-bench)/nginx


install: build ## install nginx into PREFIX, below DESTDIR
	@$(MAKE) -s --no-print-directory -C $(TREE) -f objs/Makefile install \
	    DESTDIR=$(DESTDIR)

clean: ## remove what was made; downloads stay in NGX_EGRESS_CACHE
	@for d in $(B) $(B)-asan $(B)-bench $(B)-valgrind; do \
	    [ ! -d $$d ] || find $$d -mindepth 1 -maxdepth 1 \
	        ! -path '$(NGX_EGRESS_CACHE)' -exec rm -rf {} +; done
	@rm -rf t/servroot*


FORCE:

.PHONY: help build packages run test asan valgrind valgrind-run unit \
    unit-programs fuzz fuzz-programs lint bench install clean
