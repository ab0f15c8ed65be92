# tools/formats: right calls pass, and each kind of mistake is found.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use ToolTest;

my $TOP = 'ngx_egress_module';

my $header = <<'_EOC_';
char *ngx_egress_conf_error(ngx_conf_t *cf, ngx_egress_object_t *object,
    const char *fmt, ...);

typedef struct {
    ngx_str_t       host;
    in_port_t       port;
    ngx_uint_t      tries;
    off_t           sent;
    time_t          since;
    void           *data;
    u_char         *text;
} ngx_egress_a_t;

struct ngx_egress_b_s {
    ngx_egress_a_t  a;
    ngx_str_t      *names;
    ngx_uint_t      weight;
};
_EOC_

my $good = <<'_EOC_';
static void
ngx_egress_f(ngx_egress_a_t *a, ngx_str_t *name, size_t len)
{
    int         fd;
    ngx_uint_t  i;

    ngx_log_error(NGX_LOG_ERR, log, 0, "\"%V\" of \"%V\"", &a->host, name);
    ngx_log_debug3(NGX_LOG_DEBUG_CORE, log, 0, "%d %ui %O",
                   fd, a->tries, a->sent);
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%*s %p %% %N",
                       len, a->text, a->data);
    ngx_egress_conf_error(cf, object, "%V has no %s" " %d of %T",
                          &names[i], "cert", (int) a->port, a->since);
    p = ngx_snprintf(buf, 10, "%uz%Z", len);
    ngx_log_debug0(NGX_LOG_DEBUG_CORE, log, 0, "nothing, (really)");
}
_EOC_

sub check {
    my ($text) = @_;

    return run_tool('formats --nginx /nonexistent',
                    { "$TOP/a.h" => $header, "$TOP/a.c" => $text });
}

my ($text, $code) = check($good);
is($text, '', 'right calls pass');
is($code, 0, '... with success');

my @rules = (
    ['an argument too few', qr/1 arguments for 2 spec/, sub { s/, name\)/)/ }],
    ['an argument too many', qr/4 arguments for 3/, sub { s/sent\)/sent, i)/ }],
    ['the wrong macro', qr/another number/, sub { s/debug3/debug4/ }],
    ['a string by value', qr/%V takes str\*, but "a->host" is str/,
     sub { s/&a->host/a->host/ }],
    ['the bytes for %V', qr/%V takes str\*, but "a->text" is text/,
     sub { s/&a->host/a->text/ }],
    ['an ngx_str_t for %s', qr/%s takes text, but "name" is str\*/,
     sub { s/"cert"/name/ }],
    ['a word for %d', qr/%d takes int, but "a->tries" is word/,
     sub { s/fd, a->tries/a->tries, a->tries/ }],
    ['an int for %ui', qr/%i takes word, but "a->port" is int/,
     sub { s/a->tries/a->port/ }],
    ['a number for a text', qr/%s takes text, but "len" is word/,
     sub { s/a->text/len/ }],
    ['a word for %O', qr/%O takes wide, but "i" is word/,
     sub { s/a->sent/i/ }],
    ['a word for %T', qr/%T takes time, but "i" is word/,
     sub { s/a->since/i/ }],
    ['an unknown specifier', qr/unknown specifier %S/, sub { s/%T/%S/ }],
    ['our own functions', qr/ngx_egress_conf_error: 3 arguments for 4/,
     sub { s/&names\[i\], // }],
);

for my $rule (@rules) {
    my ($name, $what, $change) = @$rule;

    local $_ = $good;
    $change->();
    isnt($_, $good, "$name: changed");

    ($text, $code) = check($_);
    like($text, $what, "$name: found");
    is($code, 1, '... and fails');
}

done_testing();
