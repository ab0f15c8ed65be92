# tools/layers: a small tree that obeys passes, and each rule is shown to be
# able to fail by one change to it.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use ToolTest;

my $TOP = 'ngx_egress_module';

my %good = (
    'config' => <<'_EOC_',
ngx_egress_core_srcs="
    serve/ngx_egress_a.c
    task/ngx_egress_task.c
    connect/ngx_egress_connect.c
    proto/ngx_egress_addr.c
    "
_EOC_
    "$TOP/ngx_egress.h" => "void ngx_egress_task_run(void);\n",
    "$TOP/proto/ngx_egress_addr.h" => '',
    "$TOP/proto/ngx_egress_addr.c" => <<'_EOC_',
#include <ngx_config.h>
#include "ngx_egress_addr.h"

/* no ngx_log_error() here */
_EOC_
    "$TOP/task/ngx_egress_task.h" => '',
    "$TOP/task/ngx_egress_task.c" => <<'_EOC_',
#include <ngx_egress.h>
#include <ngx_egress_task.h>
#include <ngx_egress_connect.h>

void
ngx_egress_task_run(void)
{
    task->state = state;
    ngx_egress_connect();
}


void
ngx_egress_task_other(void)
{
}
_EOC_
    "$TOP/connect/ngx_egress_connect.h" => '',
    "$TOP/connect/ngx_egress_connect.c" => <<'_EOC_',
#include <ngx_egress.h>
#include <ngx_egress_addr.h>

void
ngx_egress_connect(void)
{
    if (task->state == 4020) {
        ngx_egress_task_run();
    }
}
_EOC_
    "$TOP/serve/ngx_egress_a.c" => <<'_EOC_',
#include <ngx_http.h>
#include <ngx_egress_task.h>

ngx_http_request_t  *r;
_EOC_
);

my ($text, $code) = run_tool('layers', \%good);
is($text, '', 'an obedient tree passes');
is($code, 0, '... with success');

my $connect = "$TOP/connect/ngx_egress_connect.c";
my $codec = "$TOP/proto/ngx_egress_addr.c";

my @rules = (
    [$connect, qr/connect\/ may not include ngx_egress_task.h of task\//,
     sub { s/ngx_egress_addr.h/ngx_egress_task.h/ }],
    [$connect, qr/may not call ngx_egress_task_other\(\) of task\//,
     sub { s/_task_run/_task_other/ }],
    [$connect, qr/only serve\/ may know ngx_http_request_t/,
     sub { $_ .= "ngx_http_request_t  *r;\n" }],
    [$connect, qr/only serve\/ may include <ngx_stream.h>/,
     sub { $_ = "#include <ngx_stream.h>\n$_" }],
    [$connect, qr/task->state is written outside of task\//,
     sub { s/state == 4020/state = 4020/ }],
    [$connect, qr/status 402 belongs/, sub { s/4020/402/ }],
    [$connect, qr/a version is not tested/,
     sub { $_ .= "#if (nginx_version > 1)\n" }],
    [$connect, qr/feature is tested in ngx_egress_conf.h/,
     sub { $_ .= "#if (NGX_EGRESS_LINKED_HEADERS)\n" }],
    ["$TOP/task/ngx_egress_task.c", qr/a second writer of task->state/,
     sub { s/_other\(void\)\n\{/$&\n    task->state = 1;/ }],
    [$codec, qr/a codec may not know ngx_pool_t/,
     sub { $_ .= "ngx_pool_t  *pool;\n" }],
    [$codec, qr/a codec may not include <ngx_event.h>/,
     sub { $_ = "#include <ngx_event.h>\n$_" }],
    [$codec, qr/proto\/ may not include ngx_egress.h/,
     sub { $_ = "#include <ngx_egress.h>\n$_" }],
    ['config', qr/ngx_egress_connect.c: is not listed in config/,
     sub { s/ *connect.*\n// }],
    ['config', qr/lists ngx_egress_b.c, which does not exist/,
     sub { s/ngx_egress_a.c/$&\n    serve\/ngx_egress_b.c/ }],
);

for my $rule (@rules) {
    my ($file, $what, $change) = @$rule;

    local $_ = $good{$file};
    $change->();

    ($text, $code) = run_tool('layers', { %good, $file => $_ });
    like($text, $what, "complains: $what");
    is($text =~ tr/\n//, 2, '... about nothing else');
    is($code, 1, '... and fails');
}

done_testing();
