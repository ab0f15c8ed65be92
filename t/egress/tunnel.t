# Copyright (C) ngx_egress authors

# CONNECT, one request a block.

use lib 't/lib';
use EgressScene;
use Test::Nginx::Socket 'no_plan';

no_root_location();
run_tests();

__DATA__

=== TEST 1: a CONNECT opens a tunnel
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
["CONNECT $::origin HTTP/1.1\r\nHost: x\r\n\r\n", "GET /headers?X-A=b HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n"]
--- raw_response_headers_like: HTTP/1.1 200 Connection established
--- response_body_like: headers
--- no_error_log
[alert]


=== TEST 2: a CONNECT that arrives in two pieces opens a tunnel
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
["CONN", "ECT $::origin HTTP/1.1\r\nHost: o\r\n\r\n", "GET /headers?X-A=b HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n"]
--- raw_request_middle_delay: 0.1
--- raw_response_headers_like: HTTP/1.1 200 Connection established
--- response_body_like: headers
--- no_error_log
[alert]


=== TEST 3: bytes that come with the head are tunnel data
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"CONNECT $::origin HTTP/1.1\r\nHost: x\r\n\r\n" . "GET /headers?X-A=b HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n"
--- raw_response_headers_like: HTTP/1.1 200 Connection established
--- response_body_like: headers
--- no_error_log
[alert]


=== TEST 4: CONNECT in HTTP/1.0
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
["CONNECT $::origin HTTP/1.0\r\nHost: x\r\n\r\n", "GET /headers?X-A=b HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n"]
--- raw_response_headers_like: HTTP/1.1 200 Connection established
--- response_body_like: headers
--- no_error_log
[alert]


=== TEST 5: a name is resolved
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
["CONNECT a.test:$ENV{TEST_NGINX_ORIGIN_PORT} HTTP/1.1\r\nHost: x\r\n\r\n", "GET /headers?X-A=b HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n"]
--- raw_response_headers_like: HTTP/1.1 200 Connection established
--- response_body_like: headers
--- no_error_log
[alert]


=== TEST 6: a CNAME is followed
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
["CONNECT c.test:$ENV{TEST_NGINX_ORIGIN_PORT} HTTP/1.1\r\nHost: x\r\n\r\n", "GET /headers?X-A=b HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n"]
--- raw_response_headers_like: HTTP/1.1 200 Connection established
--- response_body_like: headers
--- no_error_log
[alert]


=== TEST 7: a name in capitals with a last dot
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
["CONNECT A.Test.:$ENV{TEST_NGINX_ORIGIN_PORT} HTTP/1.1\r\nHost: x\r\n\r\n", "GET /headers?X-A=b HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n"]
--- raw_response_headers_like: HTTP/1.1 200 Connection established
--- response_body_like: headers
--- no_error_log
[alert]


=== TEST 8: of several addresses the denied one is passed over
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
["CONNECT mixed.test:$ENV{TEST_NGINX_ORIGIN_PORT} HTTP/1.1\r\nHost: x\r\n\r\n", "GET /headers?X-A=b HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n"]
--- raw_response_headers_like: HTTP/1.1 200 Connection established
--- response_body_like: headers
--- no_error_log
[alert]


=== TEST 9: a refused connection is a 502
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"CONNECT $::dead HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 502
--- response_headers_like
Proxy-Status: ngx_egress; error=connection_refused.*
Connection: close
--- no_error_log
[alert]


=== TEST 10: a private address is a 403
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"CONNECT private.test:80 HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 403
--- response_headers_like
Proxy-Status: ngx_egress; error=destination_ip_prohibited.*
Connection: close
--- no_error_log
[alert]


=== TEST 11: loopback is a 403 by default
--- main_config eval: $::egress
--- config
    egress_http_proxy closed;
    egress_open_proxy on;
--- raw_request eval
"CONNECT $::origin HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 403
--- response_headers_like
Proxy-Status: ngx_egress; error=destination_ip_prohibited.*
Connection: close
--- no_error_log
[alert]


=== TEST 12: a name that does not exist is a 502
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"CONNECT nowhere.test:80 HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 502
--- response_headers_like
Proxy-Status: ngx_egress; error=dns_error.*
Connection: close
--- no_error_log
[alert]


=== TEST 13: a server that fails is a 502
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"CONNECT fail.test:80 HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 502
--- response_headers_like
Proxy-Status: ngx_egress; error=dns_error.*
Connection: close
--- no_error_log
[alert]


=== TEST 14: a name without addresses is a 502
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"CONNECT empty.test:80 HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 502
--- response_headers_like
Proxy-Status: ngx_egress; error=dns_error.*
Connection: close
--- no_error_log
[alert]


=== TEST 15: dummy_deny is a 403
--- main_config eval: $::egress
--- config
    egress_http_proxy nowhere;
    egress_open_proxy on;
--- raw_request eval
"CONNECT $::origin HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 403
--- response_headers_like
Proxy-Status: ngx_egress; error=http_request_denied.*
Connection: close
--- no_error_log
[alert]


=== TEST 16: extended codes: a refused connection is a 521
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
    egress_error_codes extended;
--- raw_request eval
"CONNECT $::dead HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 521
--- no_error_log
[alert]


=== TEST 17: extended codes: a name that does not exist is a 530
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
    egress_error_codes extended;
--- raw_request eval
"CONNECT nowhere.test:80 HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 530
--- no_error_log
[alert]


=== TEST 18: a decimal address is a 400
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"CONNECT 2130706433:80 HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 400
--- no_error_log
[alert]


=== TEST 19: an octal address is a 400
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"CONNECT 0177.0.0.1:80 HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 400
--- no_error_log
[alert]


=== TEST 20: a target without a port is a 400
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"CONNECT a.test HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 400
--- no_error_log
[alert]


=== TEST 21: port 0 is a 400
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"CONNECT a.test:0 HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 400
--- no_error_log
[alert]


=== TEST 22: user information is a 400
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"CONNECT user\@a.test:80 HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 400
--- no_error_log
[alert]


=== TEST 23: a CONNECT with a body is a 400
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"CONNECT $::origin HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
--- error_code: 400
--- no_error_log
[alert]


=== TEST 24: what follows a refused CONNECT is no request
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
    location / { return 200 "smuggled"; }
--- raw_request eval
"CONNECT $::dead HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 502
--- response_body_unlike: smuggled
--- no_error_log
[alert]


=== TEST 25: a server that is no proxy answers 405
--- main_config eval: $::egress
--- config
    location / { return 200; }
--- raw_request eval
"CONNECT $::origin HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 405
--- no_error_log
[alert]


=== TEST 26: server level deny applies
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
    deny all;
--- raw_request eval
"CONNECT $::origin HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 403
--- no_error_log
[alert]


=== TEST 27: server level return applies
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
    return 418;
--- raw_request eval
"CONNECT $::origin HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 418
--- no_error_log
[alert]


=== TEST 28: an origin-form request goes to a location
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
    location / { return 200 "local\n"; }
--- raw_request eval
"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
--- response_body
local
--- no_error_log
[alert]


=== TEST 29: an origin-form request without a location is a 400
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
--- error_code: 400
--- no_error_log
[alert]


=== TEST 30: path selection that is no number is a 400
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
    egress_path_selection_header X-Path;
--- raw_request eval
"CONNECT $::origin HTTP/1.1\r\nHost: x\r\nX-Path: two\r\n\r\n"
--- error_code: 400
--- no_error_log
[alert]


=== TEST 31: an escaper from a variable
--- main_config eval: $::egress
--- config
    set $way closed;
    egress_http_proxy $way;
    egress_open_proxy on;
--- raw_request eval
"CONNECT $::origin HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 403
--- response_headers_like
Proxy-Status: ngx_egress; error=destination_ip_prohibited.*
Connection: close
--- no_error_log
[alert]


=== TEST 32: an escaper from a variable that nobody declared
--- main_config eval: $::egress
--- config
    set $way missing;
    egress_http_proxy $way;
    egress_open_proxy on;
--- raw_request eval
"CONNECT $::origin HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 403
--- error_log
unknown escaper "missing"
--- no_error_log
[alert]


=== TEST 33: error_page shows a page of ours
--- main_config eval: $::egress
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
    error_page 502 /sorry;
    location = /sorry { internal; return 502 "sorry $egress_reason\n"; }
--- raw_request eval
"CONNECT $::dead HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 502
--- response_body
sorry connection_refused
--- no_error_log
[alert]


=== TEST 34: a network without a route, in g3's codes
--- main_config
egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 203.0.113.0/24; }
    }
}
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
    egress_error_codes extended;
--- raw_request eval
"CONNECT 203.0.113.1:80 HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 523
--- response_headers_like
Proxy-Status: ngx_egress; error=destination_ip_unroutable; details="network unreachable"
--- error_log
egress failed: network_unreachable
--- no_error_log
[alert]


=== TEST 35: a host without a route
--- main_config
egress {
    escaper direct direct_fixed {
        egress_network_filter { allow 198.51.100.0/24; }
    }
}
--- config
    egress_http_proxy direct;
    egress_open_proxy on;
--- raw_request eval
"CONNECT 198.51.100.1:80 HTTP/1.1\r\nHost: x\r\n\r\n"
--- error_code: 502
--- response_headers_like
Proxy-Status: ngx_egress; error=destination_ip_unroutable; details="host unreachable"
--- error_log
egress failed: host_unreachable
--- no_error_log
[alert]
