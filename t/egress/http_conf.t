# Copyright (C) ngx_egress authors

# Each error of the directives of the HTTP proxy: lines of a server, and what
# "nginx -t" says.  %% stands for the path of the configuration; the lines
# begin on line 5 of it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use EgressCert;
use EgressNginx;
use EgressPort qw/ONE TWO/;

my $local = 'listen 127.0.0.1:$TEST_NGINX_ONE_PORT; egress_http_proxy e;';
my $open = 'listen $TEST_NGINX_ONE_PORT; egress_http_proxy e;';

sub not_open {
    my ($address) = @_;

    return '"egress_http_proxy" would be open to everybody on ' . $address
           . ': listen on a loopback address, restrict clients by '
           . '"egress_user_group", "allow" and "deny" or "auth_request", or '
           . 'say "egress_open_proxy on", in %%:5';
}

my $any = not_open("0.0.0.0:$ENV{TEST_NGINX_ONE_PORT}");

my @errors = (

['an escaper that nobody declares',
 'listen 127.0.0.1:$TEST_NGINX_ONE_PORT; egress_http_proxy nowhere;',
 'unknown escaper "nowhere" in %%:5'],

['two escapers',
 "$local egress_http_proxy e;",
 '"egress_http_proxy" directive is duplicate in %%:5'],

['an empty name',
 'egress_http_proxy "";',
 '"egress_http_proxy" directive needs the name of an escaper in %%:5'],

['a variable that does not exist',
 'listen 127.0.0.1:$TEST_NGINX_ONE_PORT; egress_http_proxy $nonsense;',
 'unknown "nonsense" variable'],

['no name',
 'egress_http_proxy;',
 'invalid number of arguments in "egress_http_proxy" directive in %%:5'],

['a proxy in a location',
 'location / { egress_http_proxy e; }',
 '"egress_http_proxy" directive is not allowed here in %%:5'],

['error codes that do not exist',
 "$local egress_error_codes g3;",
 'invalid value "g3" in %%:5'],

['error codes twice',
 "$local egress_error_codes standard; egress_error_codes standard;",
 '"egress_error_codes" directive is duplicate in %%:5'],

['an idle timeout that is no time',
 "$local egress_idle_timeout long;",
 '"egress_idle_timeout" directive invalid value in %%:5'],

['a server id with a blank',
 "$local egress_server_id 'a b';",
 '"egress_server_id" directive may have letters, digits, "-", "." and "_" '
 . 'only in %%:5'],

['a server id that begins with a digit',
 "$local egress_server_id 7up;",
 '"egress_server_id" directive must begin with a letter in %%:5'],

['an unknown parameter of the path selection header',
 "$local egress_path_selection_header X-Path list;",
 'invalid parameter "list" in %%:5'],

['two path selection headers',
 "$local egress_path_selection_header A; egress_path_selection_header B;",
 '"egress_path_selection_header" directive is duplicate in %%:5'],

['a path selection header that is no name',
 "$local egress_path_selection_header 'X Path';",
 '"egress_path_selection_header" directive must be the name of a header '
 . 'in %%:5'],

['a path selection header that nginx needs',
 "$local egress_path_selection_header Host;",
 '"egress_path_selection_header" directive cannot be a header that HTTP '
 . 'itself uses in %%:5'],

['a speed that is none',
 "$local egress_tcp_sock_speed_limit fast;",
 '"egress_tcp_sock_speed_limit" directive has an invalid rate, use bytes a '
 . 'second as in "512k" in %%:5'],

['two speed limits',
 "$local egress_tcp_sock_speed_limit 1m; egress_tcp_sock_speed_limit 1m;",
 '"egress_tcp_sock_speed_limit" directive is duplicate in %%:5'],

['egress_open_proxy that is neither on nor off',
 "$open egress_open_proxy yes;",
 'invalid value "yes" in "egress_open_proxy" directive, it must be "on" or '
 . '"off" in %%:5'],

# open proxies

['an open proxy', $open, $any],
['an open proxy behind variables',
 'listen $TEST_NGINX_ONE_PORT; egress_http_proxy e$arg_e;', $any],
['an open proxy on another address',
 'listen 192.0.2.1:80; egress_http_proxy e;', not_open('192.0.2.1:80')],
['an open proxy on any IPv6 address',
 'listen [::]:$TEST_NGINX_ONE_PORT; egress_http_proxy e;',
 not_open("[::]:$ENV{TEST_NGINX_ONE_PORT}")],
['an open proxy beside a local address',
 "$local listen \$TEST_NGINX_TWO_PORT;",
 not_open("0.0.0.0:$ENV{TEST_NGINX_TWO_PORT}")],
['an open proxy that only allows', "$open allow 192.0.2.0/24;", $any],
['an open proxy whose locations deny',
 "$open location / { deny all; }", $any],
['an open proxy with auth_basic',
 "$open auth_basic x; auth_basic_user_file x;", $any],
['an open proxy with auth_request in a location',
 "$open location / { auth_request /x; }", $any],
['an open proxy that asks for certificates',
 'listen $TEST_NGINX_ONE_PORT ssl; egress_http_proxy e;
  ssl_certificate $TEST_NGINX_CERT_DIR/server.pem;
  ssl_certificate_key $TEST_NGINX_CERT_DIR/server.key;
  ssl_client_certificate $TEST_NGINX_CERT_DIR/ca.pem;
  ssl_verify_client optional;', $any],
['an open proxy without TLS, though certificates are required',
 'listen $TEST_NGINX_ONE_PORT; egress_http_proxy e;
  ssl_client_certificate $TEST_NGINX_CERT_DIR/ca.pem;
  ssl_verify_client on;', $any],
);

my @good = (
    ['a loopback address', $local],
    ['another loopback address',
     'listen 127.1.2.3:$TEST_NGINX_ONE_PORT; egress_http_proxy e;'],
    ['the IPv6 loopback address',
     'listen [::1]:$TEST_NGINX_ONE_PORT; egress_http_proxy e;'],
    ['a unix socket', 'listen unix:/tmp/x; egress_http_proxy e;'],
    ['allow and deny', "$open allow 192.0.2.0/24; deny all;"],
    ['allow and deny of IPv6 alone',
     'listen [::]:$TEST_NGINX_ONE_PORT; egress_http_proxy e;
      deny 2001:db8::/32;'],
    ['auth_request', "$open auth_request /x;"],
    ['required certificates',
     'listen $TEST_NGINX_ONE_PORT ssl; egress_http_proxy e;
      ssl_certificate $TEST_NGINX_CERT_DIR/server.pem;
      ssl_certificate_key $TEST_NGINX_CERT_DIR/server.key;
      ssl_client_certificate $TEST_NGINX_CERT_DIR/ca.pem;
      ssl_verify_client on;'],
    ['an open proxy that was asked for', "$open egress_open_proxy on;"],
    ['no proxy at all', 'listen $TEST_NGINX_ONE_PORT;'],
    ['everything that can be said',
     "$local egress_error_codes extended; egress_server_id gw-1.example;
      egress_path_selection_header X-Path dictionary;
      egress_idle_timeout 10m;
      egress_tcp_sock_speed_limit upload=1m download=10m/s;
      egress_open_proxy off;"],
    ['both speed limits at once', "$local egress_tcp_sock_speed_limit 512k;"],
    ['a path selection header that is switched off',
     "$local egress_path_selection_header off;"],
);


sub conf {
    my ($lines) = @_;

    return "http {\n    server {\n\n$lines\n    }\n}\n"
           . "egress { escaper e dummy_deny { } }\n";
}


for my $case (@errors) {
    my ($name, $lines, $want) = @$case;

    my ($ok, $output) = EgressNginx::test(conf($lines));
    my $re = quotemeta($want) =~ s/\\%\\%/\\S+/gr;

    ok(!$ok, "$name is an error");
    like($output, qr/\[emerg\].*$re$/m, "$name: what it says");
}

for my $case (@good) {
    my ($name, $lines) = @$case;

    my ($ok, $output) = EgressNginx::test(conf($lines));

    ok($ok, "$name is fine") or diag $output;
}


# Settings of the http level.

my ($ok, $output) = EgressNginx::test(<<'_EOC_');
http {
    egress_error_codes            extended;
    egress_server_id              gw;
    egress_path_selection_header  X-Path;
    egress_idle_timeout           1m;
    egress_tcp_sock_speed_limit   1m;
    allow                         192.0.2.0/24;
    deny                          all;
    server { listen $TEST_NGINX_ONE_PORT; egress_http_proxy e; }
    server { listen $TEST_NGINX_TWO_PORT; egress_http_proxy e;
             egress_path_selection_header off; }
}
egress { escaper e dummy_deny { } }
_EOC_

ok($ok, 'settings of the http level') or diag $output;

done_testing();
