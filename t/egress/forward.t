# Copyright (C) ngx_egress authors

# Absolute-form, one request a block.

use lib 't/lib';
use EgressScene;
use Test::Nginx::Socket 'no_plan';

no_root_location();
run_tests();

__DATA__

=== TEST 1: a request in absolute-form reaches the origin in origin-form
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET http://$::origin/echo?a=b HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- response_body_like: ^GET /echo\?a=b HTTP/1.1\r?\n
--- no_error_log
[alert]


=== TEST 2: Host is that of the target
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET http://$::origin/echo HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- response_body_like eval
qr/^Host: \Q$::origin\E\r?$/m
--- no_error_log
[alert]


=== TEST 3: egress_allow_custom_host keeps the one of the client
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
    egress_allow_custom_host on;
--- raw_request eval
"GET http://$::origin/echo HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- response_body_like: (?m)^Host: client.test\r?$
--- no_error_log
[alert]


=== TEST 4: a target without a path is /
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET http://$::origin HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- response_body
origin
--- no_error_log
[alert]


=== TEST 5: fields for the proxy stay here
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET http://$::origin/echo HTTP/1.1\r\nHost: client.test\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\nKeep-Alive: 5\r\nTE: trailers\r\nX-Kept: 1\r\nConnection: close\r\n\r\n"
--- response_body_like: X-Kept: 1
--- response_body_unlike: (?i)proxy-|keep-alive:|\nte:
--- no_error_log
[alert]


=== TEST 6: so do fields that Connection names
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET http://$::origin/echo HTTP/1.1\r\nHost: x\r\nX-Secret: 1\r\nX-Kept: 1\r\nConnection: close, X-Secret\r\n\r\n"
--- response_body_like: X-Kept: 1
--- response_body_unlike: X-Secret
--- no_error_log
[alert]


=== TEST 7: the path selection header stays here
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
    egress_path_selection_header X-Path;
--- raw_request eval
"GET http://$::origin/echo HTTP/1.1\r\nHost: client.test\r\nX-Path: 1\r\nConnection: close\r\n\r\n"
--- response_body_unlike: X-Path
--- no_error_log
[alert]


=== TEST 8: a body by length
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"POST http://$::origin/md5 HTTP/1.1\r\nHost: client.test\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
--- response_body_like: ^bytes=5 md5=5d41402abc4b2a76b9719d911017c592
--- no_error_log
[alert]


=== TEST 9: a body in chunks
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"POST http://$::origin/md5 HTTP/1.1\r\nHost: client.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
--- response_body_like: ^bytes=5 md5=5d41402abc4b2a76b9719d911017c592
--- no_error_log
[alert]


=== TEST 10: a response in chunks
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET http://$::origin/chunked?1000,100 HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- error_code: 200
--- response_body_like: ^.{1000}\z
--- no_error_log
[alert]


=== TEST 11: a response that ends with the connection
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET http://$::origin/close?1000 HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- response_body_like: ^.{1000}\z
--- no_error_log
[alert]


=== TEST 12: 204
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET http://$::origin/204 HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- error_code: 204
--- no_error_log
[alert]


=== TEST 13: 304
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET http://$::origin/304 HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- error_code: 304
--- no_error_log
[alert]


=== TEST 14: HEAD
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"HEAD http://$::origin/big?100 HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- response_headers
Content-Length: 100
--- response_body
--- no_error_log
[alert]


=== TEST 15: a client of HTTP/1.0
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET http://$::origin/chunked?100,10 HTTP/1.0\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- response_body_like: ^.{100}\z
--- no_error_log
[alert]


=== TEST 16: an unknown method
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"BREW http://$::origin/echo HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- response_body_like: ^BREW /echo
--- no_error_log
[alert]


=== TEST 17: a refused connection is a 502
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET http://$::dead/ HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- error_code: 502
--- response_headers_like
Proxy-Status: ngx_egress; error=connection_refused.*
Connection: close
--- no_error_log
[alert]


=== TEST 18: a private address is a 403
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET http://private.test/ HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- error_code: 403
--- response_headers_like
Proxy-Status: ngx_egress; error=destination_ip_prohibited.*
Connection: close
--- no_error_log
[alert]


=== TEST 19: a name that does not exist is a 502
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET http://nowhere.test/ HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- error_code: 502
--- response_headers_like
Proxy-Status: ngx_egress; error=dns_error.*
Connection: close
--- no_error_log
[alert]


=== TEST 20: an origin that closes early is a 502
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET http://127.0.0.1:$ENV{TEST_NGINX_RESET_PORT}/ HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- error_code: 502
--- no_error_log
[alert]


=== TEST 21: https is not forwarded unless asked for
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET https://$::origin/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
--- error_code: 501
--- no_error_log
[alert]


=== TEST 22: nor is ftp
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET ftp://$::origin/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
--- error_code: 501
--- no_error_log
[alert]


=== TEST 23: Via when asked for
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
    egress_via on;
    egress_server_id gate;
--- raw_request eval
"GET http://$::origin/echo HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- response_body_like: (?m)^Via: 1.1 gate\r?$
--- no_error_log
[alert]


=== TEST 24: a request that was here before is a loop
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
    egress_via on;
    egress_server_id gate;
--- raw_request eval
"GET http://$::origin/echo HTTP/1.1\r\nHost: client.test\r\nVia: 1.1 gate\r\nConnection: close\r\n\r\n"
--- error_code: 502
--- response_headers_like
Proxy-Status: gate; error=proxy_loop_detected.*
--- no_error_log
[alert]


=== TEST 25: no Forwarded by default
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET http://$::origin/echo HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- response_body_unlike: (?i)forwarded|via:
--- no_error_log
[alert]


=== TEST 26: X-Forwarded-For when asked for
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
    egress_forwarded classic;
--- raw_request eval
"GET http://$::origin/echo HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- response_body_like: (?m)^X-Forwarded-For: 127.0.0.1\r?$
--- no_error_log
[alert]


=== TEST 27: Forwarded when asked for
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
    egress_forwarded standard;
--- raw_request eval
"GET http://$::origin/echo HTTP/1.1\r\nHost: client.test\r\nConnection: close\r\n\r\n"
--- response_body_like: (?mi)^Forwarded: .*for=
--- no_error_log
[alert]


=== TEST 28: a fragment is not for origins
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET http://$::origin/echo?a=%23#x/y?z#2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
--- response_body_like: ^GET /echo\?a=%23 HTTP/1.1
--- no_error_log
[alert]
