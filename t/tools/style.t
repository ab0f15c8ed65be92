# tools/style: the natural code passes, and every rule is shown to be able to
# fail by one change to that code.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use ToolTest;

my $good = <<'_EOC_';

/*
 * Copyright (C) ngx_egress authors
 *
 * What a listener does with a connection, and nothing about its protocol.
 */


#include <ngx_config.h>


static ngx_int_t ngx_egress_a(ngx_pool_t *pool);
static void ngx_egress_b(void);


static ngx_int_t
ngx_egress_a(ngx_pool_t *pool)
{
    u_char  *p;

    p = ngx_palloc(pool, 10);
    if (p == NULL) {
        goto failed;
    }

    if (*p == '"') {
        return NGX_OK;

    } else {
        ngx_log_error(NGX_LOG_ERR, pool->log, 0,
                      "no usable address // for \"%V\"", p);
    }

failed:

    return NGX_ERROR;
}


static void
ngx_egress_b(void)
{
    /* nothing: http://example.net */
}
_EOC_

my $file = 'ngx_egress_module/a.c';

my ($text, $code) = run_tool('style', { $file => $good });
is($text, '', 'natural code passes');
is($code, 0, '... with success');

my @rules = (
    ['tab', sub { s/    u_char/\tu_char/ }],
    ['blank at the end', sub { s/u_char  \*p;/u_char  *p; / }],
    ['more than 80 columns', sub { s/nothing:/'nothing: ' . 'x' x 60/e }],
    ['C\+\+ comment', sub { s{goto failed;}{goto failed; // why} }],
    ['blank missing after keyword', sub { s/if \(p/if(p/ }],
    ['before "\} else"', sub { s/NGX_OK;\n\n/NGX_OK;\n/ }],
    ['after label', sub { s/failed:\n\n/failed:\n/ }],
    ['return type and name', sub { s/void\nngx_egress_b\(/void ngx_egress_b(/ }],
    ['brace of a function', sub { s/\(void\)\n\{/(void) {/ }],
    ['not two blank lines', sub { s/\}\n\n\nstatic void/}\n\nstatic void/ }],
    ['not two blank lines', sub { s/\}\n\n\nstatic void/}\n\n\n\nstatic void/ }],
    ['allocation of p is not tested', sub { s/if \(p == NULL\)/if (pool)/ }],
    ['begins in upper case', sub { s/"no usable/"No usable/ }],
    ['ends like a sentence', sub { s/\\"%V\\""/\\"%V\\" failed."/ }],
    ['TODO', sub { s/nothing:/TODO:/ }],
    ['no "Copyright', sub { s/ngx_egress authors/someone/ }],
    ['does not say', sub { s/ \*\n \* What a .*?\n//s }],
    ['ngx_config.h is not', sub { s/<ngx_config/<stdio.h>\n#include $&/ }],
    ['function of', sub { s/(    \/\* nothing)/"    f();\n" x 101 . $1/e }],
    ['file of', sub { $_ .= "int  x;\n" x 800 }],
    ['no newline', sub { chomp }],
);

for my $rule (@rules) {
    my ($what, $change) = @$rule;

    local $_ = $good;
    $change->();

    ($text, $code) = run_tool('style', { $file => $_ });
    like($text, qr/^$file:\d+: .*$what/m, "complains: $what");
    is($code, 1, '... and fails');
}

my $suite = <<'_EOC_';
run_tests();

__DATA__

=== TEST 1: a
--- config
    listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;

=== TEST 2: b
--- config
    listen 10.0.0.1:3128;
--- must_die
_EOC_

($text, $code) = run_tool('style', { 't/egress/a.t' => $suite });
is($text, '', 'a natural suite passes');

for my $rule (
    ['forgotten --- ONLY', sub { s/=== TEST 2: b/$&\n--- ONLY/ }],
    ['fixed port', sub { s/\$TEST_NGINX_RAND_PORT_1/1984/ }],
    ['fixed port', sub { s/--- must_die// }],
) {
    my ($what, $change) = @$rule;

    local $_ = $suite;
    $change->();

    ($text, $code) = run_tool('style', { 't/egress/a.t' => $_ });
    like($text, qr/^t\/egress\/a.t:\d+: $what/m, "complains: $what");
    is($code, 1, '... and fails');
}

done_testing();
