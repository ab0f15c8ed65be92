#!/usr/bin/perl

# Copyright (C) ngx_egress authors
#
# Each error of user groups: a snippet, and what "nginx -t" says of it.  %% is
# the path of the configuration; snippets begin on line 2 of it.

use strict;
use warnings;

use lib 't/lib';

use EgressNginx;
use EgressPort qw/ONE/;
use Test::More;

my $set = 'cannot be set: the user has a password or a token already in %%:2';
my $one = 'takes one each of "salt=", "md5=" and "sha1=" in %%:2';
my $md5 = 'md5=' . '0' x 32;

sub hex_error {
    return "invalid hash or salt, $_[0] hexadecimal digits are expected in "
           . '%%:2';
}

sub group { "egress { user_group g basic { $_[0] } }" }
sub user { group("user u { $_[0] }") }

my @errors = (

['a type that does not exist',
 'egress { user_group g nonsense { } }',
 'unknown user group type "nonsense", use "basic" in %%:2'],

['a group declared twice',
 "egress {\n user_group g basic { user u { password p; } }\n"
 . " user_group g basic { user u { password p; } } }",
 'duplicate user_group "g", the first one is at %%:3, this one in %%:4'],

['a group called off',
 'egress { user_group off basic { user u { password p; } } }',
 '"off" cannot be the name of a user group in %%:2'],

['a group without users',
 group(''),
 'user group "g" has no "user" in %%:2'],

['a user declared twice',
 group("user u { password p; }\n user u { password q; }"),
 'duplicate user "u" in user group "g" in %%:3'],

['a user without a name',
 group('user "" { password p; }'),
 '"user" directive needs a name of 1 to 255 bytes in %%:2'],

['a name that is too long',
 group('user ' . 'u' x 256 . ' { password p; }'),
 '"user" directive needs a name of 1 to 255 bytes in %%:2'],

['a name with a colon',
 group('user a:b { password p; }'),
 '"user" directive cannot have ":" or control characters in a name in %%:2'],

['a user without a secret',
 user(''),
 'user "u" needs a "password" or a "token" in %%:2'],

['an empty password',
 user('password "";'),
 '"password" directive needs 1 to 255 bytes in %%:2'],

['a password that is too long',
 user('password ' . 'p' x 256 . ';'),
 '"password" directive needs 1 to 255 bytes in %%:2'],

['two passwords',
 user('password p; password q;'),
 qq("password" directive $set)],

['a password and a token',
 user("password p; token salt=00 $md5;"),
 qq("token" directive $set)],

['a token without a salt',
 user("token $md5 sha1=" . '0' x 40 . ';'),
 '"token" directive needs "salt=" and at least one of "md5=" and "sha1=" '
 . 'in %%:2'],

['a token without hashes',
 user('token salt=00 salt=01;'),
 qq("token" directive $one)],

['an unknown parameter of a token',
 user("token salt=00 sha256=00;"),
 qq("token" directive $one)],

['a single digit of salt',
 user("token salt=0 $md5;"),
 hex_error(2)],

['a salt that is too long',
 user("token salt=" . '0' x 66 . " $md5;"),
 qq("token" directive $one)],

['a hash twice',
 user("token salt=00 $md5 $md5;"),
 '"token" directive is duplicate in %%:2'],

['a hash that is too short',
 user('token salt=00 md5=00;'),
 hex_error(32)],

['a hash that is not hexadecimal',
 user('token salt=00 sha1=' . 'x' x 40 . ';'),
 hex_error(40)],

['half a byte of salt',
 user("token salt=012 $md5;"),
 hex_error(4)],

['a group that nobody declares, in http',
 'http { egress_user_group nowhere; }',
 'unknown user group "nowhere" in %%:2'],

['a group that nobody declares, in stream',
 'stream { egress_user_group nowhere; }',
 'unknown user group "nowhere" in %%:2'],

['two groups of a server of http',
 'http { server { egress_user_group g; egress_user_group off; } }',
 '"egress_user_group" directive is duplicate in %%:2'],

['two groups of a server of stream',
 'stream { server { egress_user_group g; egress_user_group off; } }',
 '"egress_user_group" directive is duplicate in %%:2'],

['a group of a location',
 'http { server { location / { egress_user_group g; } } }',
 '"egress_user_group" directive is not allowed here in %%:2'],

['a group of a server that is no proxy',
 "http { server {\n listen 127.0.0.1:\$TEST_NGINX_ONE_PORT;\n"
 . ' egress_user_group g; } }',
 '"egress_user_group" guards nothing in a server without "egress_http_proxy", '
 . 'in %%:4'],

['a group where clients cannot say who they are',
 'egress { escaper e dummy_deny { } '
 . "user_group g basic { user u { password p; } } }\n"
 . 'stream { server { listen 127.0.0.1:$TEST_NGINX_ONE_PORT; '
 . 'egress_user_group g; egress_sni_proxy e; } }',
 '"egress_user_group" cannot be used with "egress_sni_proxy", its clients '
 . 'have no way to say who they are, in %%:3'],

['an inherited group that guards nothing',
 'egress { escaper e dummy_deny { } '
 . "user_group g basic { user u { password p; } } }\n"
 . 'stream { egress_user_group g; server { listen $TEST_NGINX_ONE_PORT; '
 . 'egress_sni_proxy e; } }',
 '"egress_sni_proxy" would be open to everybody on '
 . "0.0.0.0:$ENV{TEST_NGINX_ONE_PORT}: listen on a loopback address, restrict "
 . 'clients by "allow" and "deny", or say "egress_open_proxy on", in %%:3'],

['no group where others have one',
 'egress { escaper e dummy_deny { } '
 . "user_group g basic { user u { password p; } } }\n"
 . 'http { egress_user_group g; server { listen $TEST_NGINX_ONE_PORT; '
 . 'egress_http_proxy e; egress_user_group off; } }',
 '"egress_http_proxy" would be open to everybody on '
 . "0.0.0.0:$ENV{TEST_NGINX_ONE_PORT}: listen on a loopback address, restrict "
 . 'clients by "egress_user_group", "allow" and "deny" or "auth_request", or '
 . 'say "egress_open_proxy on", in %%:3'],

);

for my $case (@errors) {
    my ($name, $conf, $want) = @$case;

    my ($ok, $output) = EgressNginx::test($conf);
    my $re = quotemeta($want) =~ s/\\%\\%/\\S+/gr;

    ok(!$ok, "$name is an error");
    like($output, qr/\[emerg\].*$re$/m, "$name: what it says");
}


# a group is a guard

my $group = 'egress { escaper e dummy_deny { } '
            . "user_group g basic { user u { password p; } } }\n";

for my $conf ('http { egress_user_group g; server { '
              . 'listen 127.0.0.1:$TEST_NGINX_ONE_PORT; } }',
              'http { server { egress_user_group g; '
              . 'listen $TEST_NGINX_ONE_PORT; egress_http_proxy e; } }',
              'http { server { listen $TEST_NGINX_ONE_PORT; '
              . 'egress_http_proxy e; egress_user_group g; } }',
              'stream { server { listen $TEST_NGINX_ONE_PORT; '
              . 'egress_user_group g; egress_socks_proxy e; } }',
              'stream { egress_user_group g; server { egress_socks_proxy e; '
              . 'listen $TEST_NGINX_ONE_PORT; } }')
{
    my ($ok, $output) = EgressNginx::test($conf . "\n" . $group);
    ok($ok, $conf =~ s/\$/a /r) or diag $output;
}

done_testing();
