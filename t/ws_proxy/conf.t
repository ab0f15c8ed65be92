#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Each error of the ws_proxy_* directives: a snippet, and what "nginx -t" says
# of it.  %% in an expected text is the path of the configuration.

use strict;
use warnings;

use lib 't/lib';

use EgressCert;
use EgressNginx;
use Test::More;

sub location { "http { server { listen 127.0.0.1:8080; location / {\n$_[0] } } }" }
sub upstream { "http { upstream u { server 127.0.0.1:1;\n$_[0] } }" }
sub match { "http { ws_proxy_match m {\n$_[0] } }" }

my @errors = (

['a URL without a scheme', location('ws_proxy_pass 127.0.0.1;'),
 'invalid URL prefix in "127.0.0.1" in %%:3'],

['a URL of another scheme', location('ws_proxy_pass ftp://127.0.0.1;'),
 'invalid URL prefix in "ftp://127.0.0.1" in %%:3'],

['a URL with a bad port', location('ws_proxy_pass ws://127.0.0.1:99999;'),
 'invalid port in "ws://127.0.0.1:99999" in %%:3'],

['a URL with a host that does not exist',
 location('ws_proxy_pass ws://nobody.invalid;'),
 'host not found in upstream "nobody.invalid" in %%:3'],

['two ws_proxy_pass',
 location('ws_proxy_pass ws://127.0.0.1; ws_proxy_pass ws://127.0.0.1;'),
 '"ws_proxy_pass" directive is duplicate in %%:3'],

['a URI part in a location by regular expression',
 'http { server { location ~ x { ws_proxy_pass ws://127.0.0.1/a; } } }',
 '"ws_proxy_pass" cannot have a URI part in a location given by regular '
 . 'expression, in a named location, in "if" or in "limit_except" in %%:2'],

['ws_proxy_pass outside of a location',
 'http { server { ws_proxy_pass ws://127.0.0.1; } }',
 '"ws_proxy_pass" directive is not allowed here in %%:2'],

['a header of the handshake',
 location('ws_proxy_set_header Upgrade x;'),
 '"Upgrade" belongs to the websocket handshake and cannot be set in %%:3'],

['a size that is none',
 location('ws_proxy_client_max_message_size -1;'),
 '"ws_proxy_client_max_message_size" directive invalid value in %%:3'],

['two sizes',
 location('ws_proxy_server_max_message_size 1; '
          . 'ws_proxy_server_max_message_size 2;'),
 '"ws_proxy_server_max_message_size" directive is duplicate in %%:3'],

['a ping that is no time', location('ws_proxy_ping often;'),
 '"ws_proxy_ping" directive invalid value in %%:3'],

['a pong that is no time', location('ws_proxy_ping 30s later;'),
 '"ws_proxy_ping" directive invalid value in %%:3'],

['two pings', location('ws_proxy_ping 30s; ws_proxy_ping off;'),
 '"ws_proxy_ping" directive is duplicate in %%:3'],

['an origin without a scheme', location('ws_proxy_origin a.test;'),
 'invalid origin "a.test", it must be scheme://host[:port] in %%:3'],

['an origin that is a bad regular expression',
 location('ws_proxy_origin ~(;'),
 qr/pcre2?_compile\(\) failed.* in \S+:3/],

['origins and off', location('ws_proxy_origin off; ws_proxy_origin same;'),
 '"ws_proxy_origin" directive is duplicate in %%:3'],

['a fallback that is neither a URI nor a name',
 location('ws_proxy_fallback plain;'),
 qr/"ws_proxy_fallback" must be a URI or a named location, not "plain" in/],

['a word of ws_proxy_next_upstream that does not exist',
 location('ws_proxy_next_upstream never;'),
 'invalid value "never" in %%:3'],

['verification without a trusted certificate',
 location('ws_proxy_pass wss://127.0.0.1; ws_proxy_ssl_verify on;'),
 'no "ws_proxy_ssl_trusted_certificate" for "ws_proxy_ssl_verify"'],

['a certificate without a key',
 location('ws_proxy_pass wss://127.0.0.1; '
          . "ws_proxy_ssl_certificate $ENV{TEST_NGINX_CERT_DIR}/client.pem;"),
 'no "ws_proxy_ssl_certificate_key" is defined for certificate'],

['two files of passwords',
 location("ws_proxy_ssl_password_file $ENV{TEST_NGINX_CERT_DIR}/ca.pem; "
          . "ws_proxy_ssl_password_file $ENV{TEST_NGINX_CERT_DIR}/ca.pem;"),
 '"ws_proxy_ssl_password_file" directive is duplicate in %%:3'],

['a parameter of a check that does not exist',
 upstream('ws_proxy_health_check typ=http;'),
 'unknown parameter "typ=http" in %%:3'],

['a type of checks that does not exist',
 upstream('ws_proxy_health_check type=smtp;'),
 'unknown type in "type=smtp" in %%:3'],

['an interval of a check that is no time',
 upstream('ws_proxy_health_check interval=often;'),
 'invalid time in "interval=often" in %%:3'],

['an interval of zero', upstream('ws_proxy_health_check interval=0;'),
 'invalid time in "interval=0" in %%:3'],

['no fails at all', upstream('ws_proxy_health_check fails=0;'),
 'invalid number in "fails=0" in %%:3'],

['a port of a check that is none',
 upstream('ws_proxy_health_check port=65536;'),
 'invalid port in "port=65536" in %%:3'],

['a URI of a check that is none',
 upstream('ws_proxy_health_check uri=health;'),
 'invalid URI "health" of a health check in %%:3'],

['a blank in the host of a check',
 upstream('ws_proxy_health_check "host=a b";'),
 'invalid character in "host=a b" in %%:3'],

['an empty method', upstream('ws_proxy_health_check method=;'),
 'empty value in "method=" in %%:3'],

['a header of a check without a value',
 upstream('ws_proxy_health_check header=X;'),
 'no "Name: value" in "header=X" in %%:3'],

['a header of a check with an open quote',
 upstream('ws_proxy_health_check header="X: a b;'),
 'no closing quote for header="X: in %%:3'],

['a header of a check that holds two lines',
 upstream('ws_proxy_health_check "header=X: a\nY: b";'),
 qr/invalid character in "header=X: a/],

['a quoted header with an empty argument inside and no end',
 upstream('ws_proxy_health_check header="X: "" a;'),
 'no closing quote for header="X: in %%:3'],

['a user without a password', upstream('ws_proxy_health_check user=x;'),
 'no "name:password" in "user=x" in %%:3'],

['mandatory=maybe', upstream('ws_proxy_health_check mandatory=maybe;'),
 '"on" or "off" expected in "mandatory=maybe" in %%:3'],

['ssl_verify without ssl', upstream('ws_proxy_health_check ssl_verify;'),
 '"ssl_verify" of a health check needs "ssl" in %%:3'],

['ssl_verify without a trusted certificate',
 upstream('ws_proxy_health_check ssl ssl_verify;'),
 '"ssl_verify" of a health check needs "ssl_trusted_certificate" in %%:3'],

['a match that nobody declares',
 upstream('ws_proxy_health_check match=nowhere;'),
 'unknown match "nowhere" in upstream "u" in %%:2'],

['a fallback of health that does not exist',
 upstream('ws_proxy_health_fallback some;'),
 'invalid value "some" in %%:3'],

['two matches of one name',
 'http { ws_proxy_match m { } ws_proxy_match m { } }',
 'duplicate match "m" in %%:2'],

['a condition that does not exist', match('cookie x;'),
 'invalid match condition "cookie" in %%:3'],

['a status that is none', match('status 99;'),
 'invalid status "99" in %%:3'],

['a range of statuses upside down', match('status 300-200;'),
 'invalid status "300-200" in %%:3'],

['a header condition of two words', match('header X =;'),
 'invalid number of arguments in "header" in %%:3'],

['a header that must not be there and its value', match('header !X = y;'),
 '"!X" cannot be compared, put "!" before the operator in %%:3'],

['an operator that does not exist', match('header X == y;'),
 'invalid match operator "==" in %%:3'],

['an operator for bodies that does not exist', match('body like x;'),
 'invalid match operator "like" in %%:3'],

['a bad regular expression', match('body ~ (;'),
 qr/pcre2?_compile\(\) failed.* in \S+:3/],

['a zone that is no size', 'http { ws_proxy_health_zone much; }',
 '"ws_proxy_health_zone" directive invalid value in %%:2'],

['a zone that is too small', 'http { ws_proxy_health_zone 4k; }',
 qr/"4k" is too small, use at least \d+ in \S+:2/],

['two zones', 'http { ws_proxy_health_zone 1m; ws_proxy_health_zone 1m; }',
 '"ws_proxy_health_zone" directive is duplicate in %%:2'],

['a view that does not exist', location('ws_proxy_health_status xml;'),
 '"ws_proxy_health_status" directive must be "json" or "prometheus" in %%:3'],

);

for my $case (@errors) {
    my ($name, $text, $want) = @$case;

    my ($ok, $output) = EgressNginx::test($text);

    if (!ref $want) {
        my $re = quotemeta $want;
        $re =~ s/\\%\\%/\\S+/g;
        $want = qr/\[emerg\].*$re/;
    }

    ok(!$ok, "$name is an error");
    like($output, $want, "$name: what it says");
}

my $cert = $ENV{TEST_NGINX_CERT_DIR};

system("cd $cert && openssl ca -gencrl -config ca.cnf -cert ca.pem "
       . "-keyfile ca.key -crldays 30 -out crl.pem 2> /dev/null") == 0
    or die "no CRL\n";

my @good = (

['every directive of TLS', location(<<"_EOC_")],
    ws_proxy_pass                     wss://127.0.0.1;
    ws_proxy_ssl_session_reuse        off;
    ws_proxy_ssl_protocols            TLSv1.2 TLSv1.3;
    ws_proxy_ssl_ciphers              HIGH;
    ws_proxy_ssl_name                 \$host;
    ws_proxy_ssl_server_name          on;
    ws_proxy_ssl_verify               on;
    ws_proxy_ssl_verify_depth         2;
    ws_proxy_ssl_trusted_certificate  $cert/ca.pem;
    ws_proxy_ssl_crl                  $cert/crl.pem;
    ws_proxy_ssl_certificate          $cert/client.pem;
    ws_proxy_ssl_certificate_key      $cert/client.key;
    ws_proxy_ssl_password_file        $cert/ca.pem;
    ws_proxy_ssl_conf_command         Options -SessionTicket;
_EOC_

['ws_proxy_pass in "if" and "limit_except"', location(<<'_EOC_')],
    ws_proxy_pass ws://127.0.0.1;
    if ($arg_x) { ws_proxy_pass ws://127.0.0.2; }
    limit_except GET { deny all; }
_EOC_

['every parameter of a check', upstream(<<"_EOC_") ],
    ws_proxy_health_check type=websocket uri=/health/ws port=10080
        interval=60s jitter=1s timeout=3s fails=1 passes=1 method=GET
        host=h.test header="X-Health-Check: nginx egress" body=x user=a:b
        mandatory ping ssl ssl_verify ssl_name=server.test
        ssl_trusted_certificate=$cert/ca.pem;
    ws_proxy_health_check "header=X: y" mandatory=off ping=off ssl=off
        ssl_verify=off;
    ws_proxy_health_check;
    ws_proxy_health_fallback any;
_EOC_

['every condition of a match', match(<<'_EOC_')],
    status 101 200-399 !304;
    header X-Status = healthy;
    header X-Status != ill;
    header Server ~ "^node-";
    header Server !~* bad;
    header X-There;
    header !X-Not-There;
    body ~ "a+";
    body !~ "b+";
    body contains "some text";
    body !contains "other text";
_EOC_

);

for my $case (@good) {
    my ($name, $text) = @$case;

    my ($ok, $output) = EgressNginx::test($text);

    ok($ok, "$name is fine") or diag $output;
}

done_testing();
