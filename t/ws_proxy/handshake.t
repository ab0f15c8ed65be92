# Copyright (C) ngx_egress authors
#
# The client's opening handshake: what is refused, with which status, and what
# goes elsewhere.

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use EgressTcp DEAD => 'refuse';
use EgressOrigin;

our $handshake = <<'_EOC_';
Host: x.test\r
Connection: keep-alive, Upgrade\r
Upgrade: websocket\r
Sec-WebSocket-Version: 13\r
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
_EOC_
$handshake =~ s/\\r/\r/g;

our $proxy = <<'_EOC_';
    location / {
        ws_proxy_pass http://127.0.0.1:$TEST_NGINX_DEAD_PORT;
    }
_EOC_

sub request {
    my ($line, $headers) = @_;
    return "$line\r\n$headers" . "Connection: close\r\n\r\n";
}

no_root_location();
run_tests();

__DATA__

=== TEST 1: a request without Upgrade gets 426 and is told to what
--- config eval: $::proxy
--- raw_request eval
"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
--- error_code: 426
--- response_headers
Upgrade: websocket
Sec-WebSocket-Version: 13
--- no_error_log
[alert]
[error]

=== TEST 2: a request without Upgrade goes to ws_proxy_fallback
--- config
    location / {
        ws_proxy_pass http://127.0.0.1:$TEST_NGINX_DEAD_PORT;
        ws_proxy_fallback @plain;
    }
    location @plain {
        return 200 "plain $request_method $uri\n";
    }
--- request
GET /a?b=c
--- response_body
plain GET /a
--- no_error_log
[alert]
[error]

=== TEST 3: a POST with a body goes to ws_proxy_fallback with its body
--- config
    location / {
        ws_proxy_pass http://127.0.0.1:$TEST_NGINX_DEAD_PORT;
        ws_proxy_fallback @plain;
    }
    location @plain {
        proxy_pass http://127.0.0.1:$TEST_NGINX_ORIGIN_PORT;
    }
--- request
POST /echo
a body
--- response_body_like: ^POST /echo HTTP
--- no_error_log
[alert]
[error]

=== TEST 4: ws_proxy_fallback to a URI
--- config
    location / {
        ws_proxy_pass http://127.0.0.1:$TEST_NGINX_DEAD_PORT;
        ws_proxy_fallback /hello?x=1;
    }
    location /hello {
        return 200 "hello $args\n";
    }
--- request
GET /a?b=c
--- response_body
hello x=1
--- no_error_log
[alert]
[error]

=== TEST 5: another protocol in Upgrade is no WebSocket handshake
--- config eval: $::proxy
--- raw_request eval
"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n"
--- error_code: 426
--- no_error_log
[alert]

=== TEST 6: a method other than GET is 400
--- config eval: $::proxy
--- raw_request eval
::request("PUT / HTTP/1.1", $::handshake)
--- error_code: 400
--- error_log
client sent invalid websocket handshake: method is not GET
--- no_error_log
[alert]

=== TEST 7: HTTP/1.0 is 400
--- config eval: $::proxy
--- raw_request eval
::request("GET / HTTP/1.0", $::handshake)
--- error_code: 400
--- error_log
version of HTTP is not 1.1
--- no_error_log
[alert]

=== TEST 8: a body is 400
--- config eval: $::proxy
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake . "Content-Length: 1\r\n") . "x"
--- error_code: 400
--- error_log
request has a body
--- no_error_log
[alert]

=== TEST 9: no "upgrade" in Connection is 400
--- config eval: $::proxy
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake =~ s/^Connection.*\n//mr)
--- error_code: 400
--- error_log
no "upgrade" in Connection
--- no_error_log
[alert]

=== TEST 10: no version is 400
--- config eval: $::proxy
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake =~ s/^Sec-WebSocket-V.*\n//mr)
--- error_code: 400
--- error_log
no Sec-WebSocket-Version
--- no_error_log
[alert]

=== TEST 11: another version is 426
--- config eval: $::proxy
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake =~ s/13/8/r)
--- error_code: 426
--- response_headers
Sec-WebSocket-Version: 13
--- error_log
websocket version "8" is not supported
--- no_error_log
[alert]

=== TEST 12: no key is 400
--- config eval: $::proxy
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake =~ s/^Sec-WebSocket-K.*\n//mr)
--- error_code: 400
--- error_log
no valid Sec-WebSocket-Key
--- no_error_log
[alert]

=== TEST 13: a key of the wrong length is 400
--- config eval: $::proxy
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake =~ s/dGhl//r)
--- error_code: 400
--- error_log
no valid Sec-WebSocket-Key
--- no_error_log
[alert]

=== TEST 14: a key that is no base64 is 400
--- config eval: $::proxy
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake =~ s/dGhl/d!hl/r)
--- error_code: 400
--- error_log
no valid Sec-WebSocket-Key
--- no_error_log
[alert]

=== TEST 15: two keys are 400
--- config eval: $::proxy
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake
          . "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
--- error_code: 400
--- error_log
two Sec-WebSocket-Key
--- no_error_log
[alert]

=== TEST 16: a valid handshake with a dead backend is 502
--- config eval: $::proxy
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake)
--- error_code: 502
--- no_error_log
[alert]

=== TEST 17: tokens are found in any case and in any of several fields
--- config eval: $::proxy
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake =~ s/^Connection.*$/Connection: x\r\nconnection: UPGRADE\r/mr
          =~ s/websocket\r/WebSocket\r/r)
--- error_code: 502
--- no_error_log
[alert]

=== TEST 18: an origin that is listed may come in
--- config
    ws_proxy_origin https://a.test https://*.b.test ~^https?://c[0-9]+\.test$;
    location / { ws_proxy_pass http://127.0.0.1:$TEST_NGINX_DEAD_PORT; }
--- raw_request eval
[map { ::request("GET / HTTP/1.1", $::handshake . "Origin: $_\r\n") }
 'https://a.test']
--- error_code: 502
--- no_error_log
[alert]

=== TEST 19: a name below a wildcard may come in
--- config
    ws_proxy_origin https://a.test https://*.b.test ~^https?://c[0-9]+\.test$;
    location / { ws_proxy_pass http://127.0.0.1:$TEST_NGINX_DEAD_PORT; }
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake . "Origin: https://x.y.B.test\r\n")
--- error_code: 502
--- no_error_log
[alert]

=== TEST 20: what matches a regular expression may come in
--- config
    ws_proxy_origin https://a.test https://*.b.test ~^https?://c[0-9]+\.test$;
    location / { ws_proxy_pass http://127.0.0.1:$TEST_NGINX_DEAD_PORT; }
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake . "Origin: http://c12.test\r\n")
--- error_code: 502
--- no_error_log
[alert]

=== TEST 21: an origin that is not listed is 403
--- config
    ws_proxy_origin https://a.test;
    location / { ws_proxy_pass http://127.0.0.1:$TEST_NGINX_DEAD_PORT; }
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake . "Origin: http://a.test\r\n")
--- error_code: 403
--- error_log
websocket handshake from origin "http://a.test" is not allowed
--- no_error_log
[alert]

=== TEST 22: a wildcard stands for names, not for anything
--- config
    ws_proxy_origin https://*.b.test;
    location / { ws_proxy_pass http://127.0.0.1:$TEST_NGINX_DEAD_PORT; }
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake . "Origin: https://evil.test/.b.test\r\n")
--- error_code: 403
--- no_error_log
[alert]

=== TEST 23: no Origin is 403 where origins are listed
--- config
    ws_proxy_origin https://a.test;
    location / { ws_proxy_pass http://127.0.0.1:$TEST_NGINX_DEAD_PORT; }
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake)
--- error_code: 403
--- error_log
websocket handshake without Origin is not allowed
--- no_error_log
[alert]

=== TEST 24: no Origin is fine with "none"
--- config
    ws_proxy_origin none https://a.test;
    location / { ws_proxy_pass http://127.0.0.1:$TEST_NGINX_DEAD_PORT; }
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake)
--- error_code: 502
--- no_error_log
[alert]

=== TEST 25: the origin of the Host is fine with "same"
--- config
    ws_proxy_origin same;
    location / { ws_proxy_pass http://127.0.0.1:$TEST_NGINX_DEAD_PORT; }
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake . "Origin: http://X.test\r\n")
--- error_code: 502
--- no_error_log
[alert]

=== TEST 26: another one is not
--- config
    ws_proxy_origin same;
    location / { ws_proxy_pass http://127.0.0.1:$TEST_NGINX_DEAD_PORT; }
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake . "Origin: http://y.test\r\n")
--- error_code: 403
--- no_error_log
[alert]

=== TEST 27: "off" undoes what the level above lists
--- config
    ws_proxy_origin same;
    location / {
        ws_proxy_origin off;
        ws_proxy_pass http://127.0.0.1:$TEST_NGINX_DEAD_PORT;
    }
--- raw_request eval
::request("GET / HTTP/1.1", $::handshake . "Origin: http://y.test\r\n")
--- error_code: 502
--- no_error_log
[alert]

=== TEST 28: a URL that a variable makes wrong is 500
--- config
    location / {
        ws_proxy_pass $arg_u;
    }
--- raw_request eval
::request("GET /?u=ftp://x HTTP/1.1", $::handshake)
--- error_code: 500
--- error_log
invalid URL prefix in websocket backend "ftp://x"
--- no_error_log
[alert]

=== TEST 29: a name without a resolver is 502
--- config
    location / {
        ws_proxy_pass $arg_u;
    }
--- raw_request eval
::request("GET /?u=wss://nobody.test/ HTTP/1.1", $::handshake)
--- error_code: 502
--- error_log
no resolver defined to resolve nobody.test
--- no_error_log
[alert]

=== TEST 30: a subrequest cannot be a session
--- config
    location / {
        auth_request /ws;
        proxy_pass http://127.0.0.1:$TEST_NGINX_DEAD_PORT;
    }
    location /ws {
        ws_proxy_pass http://127.0.0.1:$TEST_NGINX_DEAD_PORT;
    }
--- request
GET /
--- error_code: 500
--- error_log
websocket cannot be proxied in a subrequest
--- no_error_log
[alert]
