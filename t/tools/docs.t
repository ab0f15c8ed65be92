# tools/docs: a documented and tested tree passes, and what is missing is found.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use ToolTest;

my %good = (
    'ngx_egress_module/a.c' => <<'_EOC_',
static ngx_command_t  ngx_egress_commands[] = {

    { ngx_string("egress_pass"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_egress_pass,
      0, 0, NULL },

    { ngx_string("bind_ip"),
      NGX_EGRESS_CONF|NGX_CONF_1MORE,
      ngx_egress_bind, 0, 0, NULL },

      ngx_null_command
};

static ngx_egress_variable_t  ngx_egress_variables[] = {
    { ngx_string("egress_host"), ngx_egress_variable_host },
};
_EOC_
    'doc/a.md' => <<'_EOC_',
# A page, see [the other](b.md#there)

### egress_pass

Syntax: **egress_pass *name***
Default: -
Context: location

Text.

### bind_ip

Syntax: **bind_ip *address* ...**
Default: -
Context: direct_fixed
_EOC_
    'doc/b.md' => "`\$egress_host`: the host; see conf.d/x.conf\n",
    'conf.d/x.conf' => 'bind_ip ::1;',
    't/egress/a.t' => "    egress_pass \$a;\n    bind_ip 1;\n  x.conf\n",
);

my ($text, $code) = run_tool('docs', \%good);
is($text, '', 'a documented tree passes');
is($code, 0, '... with success');

my @rules = (
    ['doc/a.md', qr/directive bind_ip has no Syntax/, sub { s/.*\*\*bind.*// }],
    ['doc/a.md', qr/bind_ip has no Context/, sub { s/Context: direct.*// }],
    ['doc/a.md', qr/egress_pass has no Default/, sub { s/Default: -// }],
    ['doc/a.md', qr/there is no directive bind_if/, sub {
        s/$/\nSyntax: bind_if x\nDefault: -\nContext: y\n/ }],
    ['doc/a.md', qr/doc\/a.md:1: c.md does not exist/, sub { s/b\.md/c.md/ }],
    ['doc/b.md', qr/variable \$egress_host is not/, sub { s/host`/hosts`/ }],
    ['doc/b.md', qr/no page names this example/, sub { s/x\.conf/y.conf/ }],
    ['t/egress/a.t', qr/egress_pass is used by no test/,
     sub { s/egress_pass/egress_passes/ }],
    ['t/egress/a.t', qr/no test loads this example/, sub { s/x\.conf// }],
);

for my $rule (@rules) {
    my ($file, $what, $change) = @$rule;

    local $_ = $good{$file};
    $change->();
    isnt($_, $good{$file}, "$what: changed");

    ($text, $code) = run_tool('docs', { %good, $file => $_ });
    like($text, $what, 'found');
    is($code, 1, '... and fails');
}

done_testing();
