
/*
 * Copyright (C) ngx_egress authors
 *
 * The one table of reasons: what a client is told in each protocol and what
 * the log says.  No other file holds a status literal.
 */


#include "../ngx_egress.h"


#define ngx_egress_row(name, status, ext, s4, s5, level, ps, text)            \
    { ngx_string(name), status, ext, s4, s5, level, ngx_string(ps),           \
      ngx_string(text) }


/*
 * In the order of ngx_egress_reason_e.  socks5: 1 general failure, 2 not
 * allowed, 3 network unreachable, 4 host unreachable, 5 refused, 7 command
 * not supported, 9 timeout (g3's).
 */

static const ngx_egress_reason_t  ngx_egress_reasons[] = {

    ngx_egress_row("-", 0, 0, 90, 0x00, NGX_LOG_INFO,
                   "", "done"),

    ngx_egress_row("bad_request", 400, 400, 91, 0x01, NGX_LOG_INFO,
                   "http_request_error", "malformed request"),
    ngx_egress_row("bad_target", 400, 400, 91, 0x01, NGX_LOG_INFO,
                   "http_request_error", "malformed target host or port"),
    ngx_egress_row("bad_path_selection", 400, 400, 91, 0x01, NGX_LOG_INFO,
                   "http_request_error", "malformed egress path selection"),
    ngx_egress_row("auth_required", 407, 407, 93, 0x02, NGX_LOG_INFO,
                   "http_request_denied", "proxy authentication required"),
    ngx_egress_row("forbidden", 403, 403, 91, 0x02, NGX_LOG_INFO,
                   "http_request_denied", "not allowed"),
    ngx_egress_row("escaper_denied", 403, 403, 91, 0x02, NGX_LOG_INFO,
                   "http_request_denied", "no way out for this request"),
    ngx_egress_row("destination_denied", 403, 403, 91, 0x02, NGX_LOG_INFO,
                   "destination_ip_prohibited",
                   "the target's address is not allowed"),
    ngx_egress_row("self_connect", 403, 403, 91, 0x02, NGX_LOG_INFO,
                   "destination_ip_prohibited",
                   "the target is this gateway itself"),
    ngx_egress_row("loop", 502, 502, 91, 0x01, NGX_LOG_ERR,
                   "proxy_loop_detected", "loop detected"),
    ngx_egress_row("unsupported", 501, 501, 91, 0x07, NGX_LOG_INFO,
                   "http_request_denied",
                   "not supported by the way out of this request"),

    ngx_egress_row("dns_error", 502, 530, 91, 0x04, NGX_LOG_ERR,
                   "dns_error", "the name cannot be resolved"),
    ngx_egress_row("dns_nxdomain", 502, 530, 91, 0x04, NGX_LOG_INFO,
                   "dns_error", "no such name"),
    ngx_egress_row("dns_no_address", 502, 530, 91, 0x04, NGX_LOG_INFO,
                   "dns_error", "the name has no usable address"),
    ngx_egress_row("dns_timeout", 504, 530, 91, 0x04, NGX_LOG_ERR,
                   "dns_timeout", "name resolution timed out"),
    ngx_egress_row("dns_denied", 403, 530, 91, 0x02, NGX_LOG_INFO,
                   "dns_error", "name resolution is not allowed"),

    ngx_egress_row("connection_refused", 502, 521, 91, 0x05, NGX_LOG_ERR,
                   "connection_refused", "connection refused"),
    ngx_egress_row("connection_timeout", 504, 522, 91, 0x09, NGX_LOG_ERR,
                   "connection_timeout", "connection timed out"),
    ngx_egress_row("connection_reset", 502, 521, 91, 0x01, NGX_LOG_ERR,
                   "connection_terminated", "connection reset"),
    ngx_egress_row("network_unreachable", 502, 523, 91, 0x03, NGX_LOG_ERR,
                   "destination_ip_unroutable", "network unreachable"),
    ngx_egress_row("host_unreachable", 502, 523, 91, 0x04, NGX_LOG_ERR,
                   "destination_ip_unroutable", "host unreachable"),
    ngx_egress_row("bind_failed", 502, 502, 91, 0x01, NGX_LOG_CRIT,
                   "proxy_internal_error", "local address not usable"),
    ngx_egress_row("connection_failed", 502, 521, 91, 0x01, NGX_LOG_ERR,
                   "destination_unavailable", "connection failed"),

    ngx_egress_row("tls_error", 502, 525, 91, 0x01, NGX_LOG_ERR,
                   "tls_protocol_error", "TLS handshake failed"),
    ngx_egress_row("tls_certificate", 502, 525, 91, 0x01, NGX_LOG_ERR,
                   "tls_certificate_error", "certificate not accepted"),
    ngx_egress_row("tls_timeout", 504, 525, 91, 0x09, NGX_LOG_ERR,
                   "connection_timeout", "TLS handshake timed out"),

    ngx_egress_row("proxy_error", 502, 502, 91, 0x01, NGX_LOG_ERR,
                   "http_protocol_error", "next proxy answered nonsense"),
    ngx_egress_row("proxy_auth", 502, 502, 91, 0x01, NGX_LOG_ERR,
                   "proxy_configuration_error",
                   "next proxy did not accept our credentials"),
    ngx_egress_row("proxy_refused", 502, 502, 91, 0x01, NGX_LOG_ERR,
                   "destination_unavailable", "next proxy refused"),
    ngx_egress_row("proxy_timeout", 504, 522, 91, 0x09, NGX_LOG_ERR,
                   "connection_timeout", "next proxy did not answer in time"),

    ngx_egress_row("upstream_closed", 502, 502, 91, 0x01, NGX_LOG_ERR,
                   "http_response_incomplete",
                   "target closed the connection early"),
    ngx_egress_row("upstream_timeout", 504, 504, 91, 0x01, NGX_LOG_ERR,
                   "http_response_timeout", "target did not answer in time"),
    ngx_egress_row("upstream_invalid", 502, 502, 91, 0x01, NGX_LOG_ERR,
                   "http_protocol_error", "target answered nonsense"),

    ngx_egress_row("client_timeout", 408, 408, 91, 0x01, NGX_LOG_INFO,
                   "http_request_error", "client was too slow"),
    ngx_egress_row("client_aborted", 499, 499, 91, 0x01, NGX_LOG_INFO,
                   "", "client closed the connection"),
    ngx_egress_row("upstream_aborted", 502, 502, 91, 0x01, NGX_LOG_INFO,
                   "connection_terminated", "target reset the connection"),
    ngx_egress_row("idle_timeout", 504, 504, 91, 0x01, NGX_LOG_INFO,
                   "connection_read_timeout", "idle for too long"),
    ngx_egress_row("shutdown", 503, 503, 91, 0x01, NGX_LOG_INFO,
                   "connection_terminated", "gateway shuts down"),
    ngx_egress_row("internal", 500, 500, 91, 0x01, NGX_LOG_ERR,
                   "proxy_internal_error", "internal error"),
};


/* a row is missing if this array has no valid size */

typedef char  ngx_egress_every_reason_has_a_row[
    (sizeof(ngx_egress_reasons) / sizeof(ngx_egress_reasons[0])
     == NGX_EGRESS_REASONS) ? 1 : -1];


const ngx_egress_reason_t *
ngx_egress_reason(ngx_uint_t reason)
{
    if (reason >= NGX_EGRESS_REASONS) {
        reason = NGX_EGRESS_INTERNAL;
    }

    return &ngx_egress_reasons[reason];
}


ngx_egress_reason_e
ngx_egress_reason_errno(ngx_err_t err)
{
    switch (err) {

    case NGX_ECONNREFUSED:
    case NGX_ENOENT:                       /* AF_UNIX */
        return NGX_EGRESS_CONNECTION_REFUSED;

    case NGX_ETIMEDOUT:
        return NGX_EGRESS_CONNECTION_TIMEOUT;

    case NGX_ECONNRESET:
    case NGX_EPIPE:
    case NGX_ECONNABORTED:
        return NGX_EGRESS_CONNECTION_RESET;

    case NGX_ENETUNREACH:
    case NGX_ENETDOWN:
        return NGX_EGRESS_NETWORK_UNREACHABLE;

    case NGX_EHOSTUNREACH:
    case NGX_EHOSTDOWN:
        return NGX_EGRESS_HOST_UNREACHABLE;

    case NGX_EADDRINUSE:
    case EADDRNOTAVAIL:
        return NGX_EGRESS_BIND_FAILED;

    case NGX_EMFILE:
    case NGX_ENFILE:
    case NGX_ENOMEM:
    case ENOBUFS:
        return NGX_EGRESS_INTERNAL;

    default:
        return NGX_EGRESS_CONNECTION_FAILED;
    }
}
