#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Sessions with both ends in one hand: what passes, what does not, and who is
# told what when a session ends.

use strict;
use warnings;

use lib 't/lib';

use File::Temp;
use Test::More;

use EgressNginx;
use EgressPort qw/PROXY BACKEND/;
use WsPeer;

my $dir = File::Temp->newdir(TMPDIR => 1);

chmod 0755, $dir;
$ENV{TEST_NGINX_BACKEND_PATH} = "$dir/backend.sock";

my $ngx = EgressNginx->new(conf => <<'_EOC_');
events { worker_connections 1024; }
http {
    log_format ws '$uri $status $ws_proxy_close_code $ws_proxy_closed_by '
                  '[$ws_proxy_close_reason] '
                  '$ws_proxy_client_messages/$ws_proxy_server_messages '
                  '$ws_proxy_client_bytes/$ws_proxy_server_bytes '
                  '$ws_proxy_client_max_message/$ws_proxy_server_max_message '
                  '$ws_proxy_duration $ws_proxy_handshake_time '
                  '$ws_proxy_backend';
    access_log logs/access.log ws;

    upstream pool {
        server 127.0.0.1:$TEST_NGINX_BACKEND_PORT;
    }

    upstream two {
        server 127.0.0.1:$TEST_NGINX_BACKEND_PORT max_fails=0;
        server 127.0.0.1:$TEST_NGINX_BACKEND_PORT max_fails=0;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_PROXY_PORT;
        ws_proxy_buffer_size 4k;
        ws_proxy_socket_keepalive on;
        ws_proxy_bind 127.0.0.1;

        location / {
            ws_proxy_pass ws://127.0.0.1:$TEST_NGINX_BACKEND_PORT;
        }

        location /keep {
            ws_proxy_pass http://127.0.0.1:$TEST_NGINX_BACKEND_PORT;
            ws_proxy_keep_host on;
        }

        location /set {
            ws_proxy_pass http://127.0.0.1:$TEST_NGINX_BACKEND_PORT;
            ws_proxy_set_header Host set.test;
            ws_proxy_set_header X-A "for $uri";
            ws_proxy_set_header X-New 1;
            ws_proxy_set_header Cookie "";
            ws_proxy_set_header X-Forwarded-For "";
        }

        location /uri/ {
            ws_proxy_pass http://127.0.0.1:$TEST_NGINX_BACKEND_PORT/base/;
        }

        location /unix {
            ws_proxy_pass http://unix:$TEST_NGINX_BACKEND_PATH:/base;
            ws_proxy_bind off;
        }

        location /var {
            ws_proxy_pass http://127.0.0.1:$arg_p;
        }

        location /named {
            ws_proxy_pass http://$arg_u;
        }

        location /noext {
            ws_proxy_pass http://pool;
            ws_proxy_extensions off;
        }

        location /late {
            ws_proxy_pass http://pool;
            ws_proxy_connect_timeout 1s;
            ws_proxy_handshake_timeout 300ms;
        }

        location /next {
            ws_proxy_pass http://two;
            ws_proxy_next_upstream error timeout invalid_header http_503;
            ws_proxy_next_upstream_tries 2;
            ws_proxy_next_upstream_timeout 5s;
        }

        location /each {
            ws_proxy_pass http://two;
            ws_proxy_handshake_timeout 300ms;
            ws_proxy_next_upstream error timeout invalid_header http_500
                                   http_502 http_503 http_504 http_403
                                   http_404 http_429;
        }

        location /nowhere {
            ws_proxy_pass http://two;
            ws_proxy_handshake_timeout 300ms;
            ws_proxy_next_upstream off;
        }

        location /hide {
            ws_proxy_pass http://pool;
            ws_proxy_hide_header X-Secret;
            ws_proxy_pass_header Server;
        }

        location /icept {
            ws_proxy_pass http://pool;
            ws_proxy_intercept_errors on;
            error_page 403 @page;
        }

        location @page {
            return 403 "intercepted\n";
        }

        location /limit {
            ws_proxy_pass http://pool;
            ws_proxy_client_max_message_size 100;
            ws_proxy_server_max_message_size 200;
        }

        location /default {
            ws_proxy_pass http://pool;
        }

        location /wire {
            ws_proxy_pass http://pool;
            ws_proxy_inflate off;
            ws_proxy_client_max_message_size 150;
        }

        location /big {
            ws_proxy_pass http://pool;
            ws_proxy_client_max_message_size 32m;
            ws_proxy_server_max_message_size 32m;
        }

        location /utf8 {
            ws_proxy_pass http://pool;
            ws_proxy_utf8_check on;
            ws_proxy_client_max_message_size off;
            ws_proxy_server_max_message_size 0;
        }

        location /close {
            ws_proxy_pass http://pool;
            ws_proxy_close_timeout 300ms;
        }

        location /ping {
            ws_proxy_pass http://pool;
            ws_proxy_ping 200ms 700ms;
        }

        location /idle {
            ws_proxy_pass http://pool;
            ws_proxy_read_timeout 600ms;
        }

        location /stuck {
            ws_proxy_pass http://pool;
            ws_proxy_server_max_message_size off;
            ws_proxy_send_timeout 500ms;
            ws_proxy_ignore_client_abort on;
        }
    }
}
_EOC_

WsPeer::scenario('session.py', EgressPort::port('PROXY'),
                 EgressPort::port('BACKEND'), $ENV{TEST_NGINX_BACKEND_PATH});

my $backend = '127.0.0.1:' . EgressPort::port('BACKEND');
my @log = $ngx->wait_access(60);

sub logged {
    my ($re, $name) = @_;

    ok((grep { $_ =~ $re } @log), $name) or diag join "\n", @log;
}

logged(qr{^/ 101 1000 client \[-\] 1/1 5/4 5/4 0\.\d{3} 0\.\d{3} \Q$backend\E$},
       'a session that the client has closed');
logged(qr{^/limit 101 1009 proxy \[message is too big\] 1/0 100/0 100/0 },
       'a message of the client that was too big');
logged(qr{^/limit 101 1009 proxy \[message is too big\] 0/0 0/0 0/0 },
       'a message of the backend that was too big');
logged(qr{^/ 101 1006 backend \[-\] 0/1 0/4 0/4 },
       'a backend that left without a Close');
logged(qr{^/ 101 1006 client \[-\] 0/0 }, 'a client that left so');
logged(qr{^/ 101 4321 client }, 'a code of the application');
logged(qr{^/ping 101 1001 proxy \[ping timeout\]}, 'a ping timeout');
logged(qr{^/idle 101 1001 proxy \[idle timeout\]}, 'an idle timeout');
logged(qr{^/ 502 - - \[-\] -/- -/- -/- - - -$}, 'no session at all');

done_testing();
