#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Keys with a passphrase that are read for each connection: the passphrases are
# there in every location, although locations share what they can.

use strict;
use warnings;

use lib 't/lib';

use EgressCert;
use EgressNginx;
use EgressPort qw/PROXY BACKEND SERVER/;
use Test::More;
use WsClient;
use WsOrigin;

my $dir = $ENV{TEST_NGINX_CERT_DIR};

system("openssl pkey -in $dir/client.key -aes256 -passout pass:secret "
       . "-out $dir/locked.key") == 0 or die "openssl fails\n";

open my $out, '>', "$dir/passwords" or die "passwords: $!\n";
print $out "wrong\nsecret\n";
close $out;

WsOrigin::serve('SERVER', EgressPort::port('SERVER'));

my $ngx = EgressNginx->new(conf => <<'_EOC_');
http {
    server {
        listen 127.0.0.1:$TEST_NGINX_BACKEND_PORT ssl;
        ssl_certificate $TEST_NGINX_CERT_DIR/server.pem;
        ssl_certificate_key $TEST_NGINX_CERT_DIR/server.key;
        ssl_client_certificate $TEST_NGINX_CERT_DIR/ca.pem;
        ssl_verify_client on;

        location / {
            ws_proxy_pass ws://127.0.0.1:$TEST_NGINX_SERVER_PORT;
        }
    }

    map $arg_key $key {
        default $TEST_NGINX_CERT_DIR/locked.key;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_PROXY_PORT;

        ws_proxy_ssl_certificate      $TEST_NGINX_CERT_DIR/client.pem;
        ws_proxy_ssl_certificate_key  $key;
        ws_proxy_ssl_password_file    $TEST_NGINX_CERT_DIR/passwords;

        location /one {
            ws_proxy_pass wss://127.0.0.1:$TEST_NGINX_BACKEND_PORT;
        }

        location /two {
            ws_proxy_pass wss://127.0.0.1:$TEST_NGINX_BACKEND_PORT;
        }

        location /own {
            ws_proxy_ssl_verify_depth 2;
            ws_proxy_pass wss://127.0.0.1:$TEST_NGINX_BACKEND_PORT;
        }
    }
}
_EOC_

for my $path (qw{/one /two /own}) {
    is(WsClient::status(EgressPort::port('PROXY'), $path), 101,
       "the key is read in location $path");
}

done_testing();
