
/*
 * Copyright (C) ngx_egress authors
 *
 * Text to address and back.  Accepts one spelling of each thing and refuses
 * the rest: what inet_aton() understands beyond a dotted quad reaches some
 * resolvers as an address that no rule has seen.  Does not resolve and does
 * not judge addresses.
 */


#include "ngx_egress_addr.h"

#include <arpa/inet.h>


static ngx_int_t ngx_egress_addr_bracketed(ngx_egress_addr_t *a, u_char *buf,
    u_char *p, size_t len);
static ngx_int_t ngx_egress_addr_ipv6(ngx_egress_addr_t *a, u_char *buf,
    size_t room, u_char *p, size_t len);
static ngx_int_t ngx_egress_addr_name(ngx_egress_addr_t *a, u_char *buf,
    u_char *p, size_t len);
static ngx_uint_t ngx_egress_addr_copy_name(u_char *buf, u_char *p,
    size_t len);
static ngx_uint_t ngx_egress_addr_char(u_char ch);
static ngx_uint_t ngx_egress_addr_numeric(u_char *p, u_char *last);
static ngx_int_t ngx_egress_addr_ipv4(u_char *ip, u_char *p, u_char *last);
static ngx_int_t ngx_egress_addr_set_port(ngx_egress_addr_t *a, u_char *p,
    u_char *last, ngx_uint_t flags);
static ngx_int_t ngx_egress_addr_failed(ngx_egress_addr_t *a,
    ngx_uint_t error);
static u_char *ngx_egress_addr_print_dec(u_char *p, ngx_uint_t n);
static u_char *ngx_egress_addr_print_hex(u_char *p, ngx_uint_t n);
static u_char *ngx_egress_addr_print_v6(u_char *p, u_char *ip);


static char  *ngx_egress_addr_errors[] = {
    "no error",
    "empty host",
    "host name is too long",
    "empty label in host name",
    "label of host name is too long",
    "embedded zero in host name",
    "invalid character in host name",
    "invalid brackets",
    "more than one \":\", an IPv6 address needs brackets",
    "invalid IPv6 address in brackets",
    "IPv6 zone identifier",
    "invalid IPv4 address",
    "no port",
    "invalid port"
};


ngx_int_t
ngx_egress_addr_parse(ngx_egress_addr_t *a, u_char *buf, u_char *p,
    size_t len, ngx_uint_t flags)
{
    u_char  *colon, *last;

    last = p + len;

    if (len && *p == '[') {
        colon = memchr(p, ']', len);
        colon = (colon == NULL) ? last : colon + 1;

        if (colon != last && *colon != ':') {
            return ngx_egress_addr_failed(a, NGX_EGRESS_ADDR_BRACKETS);
        }

    } else {
        colon = (len == 0) ? NULL : memchr(p, ':', len);
        colon = (colon == NULL) ? last : colon;

        if (colon != last && memchr(colon + 1, ':', last - colon - 1)) {
            return ngx_egress_addr_failed(a, NGX_EGRESS_ADDR_NO_BRACKETS);
        }
    }

    /* first the port: the host may be written over the input */

    if (ngx_egress_addr_set_port(a, colon, last, flags) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_egress_addr_bracketed(a, buf, p, colon - p);
}


ngx_int_t
ngx_egress_addr_host(ngx_egress_addr_t *a, u_char *buf, u_char *p, size_t len)
{
    a->port = 0;

    if (len && *p != '[' && memchr(p, ':', len) != NULL) {
        return ngx_egress_addr_ipv6(a, buf, len, p, len);
    }

    return ngx_egress_addr_bracketed(a, buf, p, len);
}


static ngx_int_t
ngx_egress_addr_bracketed(ngx_egress_addr_t *a, u_char *buf, u_char *p,
    size_t len)
{
    if (len == 0 || *p != '[') {
        return ngx_egress_addr_name(a, buf, p, len);
    }

    if (len < 2 || p[len - 1] != ']') {
        return ngx_egress_addr_failed(a, NGX_EGRESS_ADDR_BRACKETS);
    }

    return ngx_egress_addr_ipv6(a, buf, len, p + 1, len - 2);
}


static ngx_int_t
ngx_egress_addr_ipv6(ngx_egress_addr_t *a, u_char *buf, size_t room,
    u_char *p, size_t len)
{
    char    text[INET6_ADDRSTRLEN];
    size_t  n;
    u_char  canonical[NGX_EGRESS_IP_LEN];

    if (len && memchr(p, '%', len) != NULL) {
        return ngx_egress_addr_failed(a, NGX_EGRESS_ADDR_ZONE);
    }

    if (len == 0 || len >= sizeof(text) || memchr(p, '\0', len) != NULL) {
        return ngx_egress_addr_failed(a, NGX_EGRESS_ADDR_IPV6);
    }

    ngx_memcpy(text, p, len);
    text[len] = '\0';

    if (inet_pton(AF_INET6, text, a->ip.bytes) != 1) {
        return ngx_egress_addr_failed(a, NGX_EGRESS_ADDR_IPV6);
    }

    n = ngx_egress_addr_print_v6(canonical, a->ip.bytes) - canonical;

    a->family = AF_INET6;
    a->error = NGX_EGRESS_ADDR_OK;
    a->host.data = buf;
    a->host.len = n;

    if (n <= room) {
        ngx_memcpy(buf, canonical, n);
        return NGX_OK;
    }

    /*
     * "1::3:4:5:6:7:8" without brackets is the only kind that grows, by one
     * byte, and buf may have no room for it: keep the text as it came
     */

    a->host.len = len;

    for (n = 0; n < len; n++) {
        buf[n] = ngx_tolower(text[n]);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_egress_addr_name(ngx_egress_addr_t *a, u_char *buf, u_char *p, size_t len)
{
    ngx_uint_t  error;

    if (len == 0) {
        return ngx_egress_addr_failed(a, NGX_EGRESS_ADDR_EMPTY);
    }

    if (len > 1 && p[len - 1] == '.') {
        len--;
    }

    error = ngx_egress_addr_copy_name(buf, p, len);

    if (error != NGX_EGRESS_ADDR_OK) {
        return ngx_egress_addr_failed(a, error);
    }

    a->family = AF_UNSPEC;

    if (ngx_egress_addr_numeric(buf, buf + len)) {

        if (ngx_egress_addr_ipv4(a->ip.bytes, buf, buf + len) != NGX_OK) {
            return ngx_egress_addr_failed(a, NGX_EGRESS_ADDR_IPV4);
        }

        a->family = AF_INET;
    }

    a->error = NGX_EGRESS_ADDR_OK;
    a->host.len = len;
    a->host.data = buf;

    return NGX_OK;
}


/* buf and p may be the same */

static ngx_uint_t
ngx_egress_addr_copy_name(u_char *buf, u_char *p, size_t len)
{
    size_t      i, label;
    ngx_uint_t  error;

    if (len > NGX_EGRESS_HOST_LEN) {
        return NGX_EGRESS_ADDR_TOO_LONG;
    }

    label = 0;

    for (i = 0; i < len; i++) {

        if (p[i] == '.') {

            if (label == 0) {
                return NGX_EGRESS_ADDR_EMPTY_LABEL;
            }

            label = 0;

        } else {
            error = ngx_egress_addr_char(p[i]);

            if (error != NGX_EGRESS_ADDR_OK) {
                return error;
            }

            if (++label > NGX_EGRESS_LABEL_LEN) {
                return NGX_EGRESS_ADDR_LONG_LABEL;
            }
        }

        buf[i] = ngx_tolower(p[i]);
    }

    return label ? NGX_EGRESS_ADDR_OK : NGX_EGRESS_ADDR_EMPTY_LABEL;
}


static ngx_uint_t
ngx_egress_addr_char(u_char ch)
{
    u_char  c;

    c = ngx_tolower(ch);

    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
        || c == '-' || c == '_')
    {
        return NGX_EGRESS_ADDR_OK;
    }

    switch (ch) {

    case '\0':
        return NGX_EGRESS_ADDR_ZERO;

    case '[':
    case ']':
        return NGX_EGRESS_ADDR_BRACKETS;

    default:
        return NGX_EGRESS_ADDR_CHAR;
    }
}


/*
 * Whether some resolver may take this name for an IPv4 address: its last
 * label is a decimal, octal or hexadecimal number.  No top-level domain is.
 */

static ngx_uint_t
ngx_egress_addr_numeric(u_char *p, u_char *last)
{
    u_char  *s;

    for (s = last; s > p && s[-1] != '.'; s--) { /* void */ }

    if (last - s >= 2 && s[0] == '0' && s[1] == 'x') {

        for (s += 2; s < last; s++) {
            if (!((*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'f'))) {
                return 0;
            }
        }

        return 1;
    }

    for ( /* void */ ; s < last; s++) {
        if (*s < '0' || *s > '9') {
            return 0;
        }
    }

    return 1;
}


/* a dotted quad of plain decimals, nothing else */

static ngx_int_t
ngx_egress_addr_ipv4(u_char *ip, u_char *p, u_char *last)
{
    u_char      *s;
    ngx_uint_t   i, n;

    for (i = 0; i < 4; i++) {

        n = 0;

        for (s = p; p < last && *p >= '0' && *p <= '9'; p++) {
            if (p - s == 3) {
                return NGX_ERROR;
            }

            n = n * 10 + (*p - '0');
        }

        if (p == s || n > 255 || (*s == '0' && p - s > 1)) {
            return NGX_ERROR;
        }

        ip[i] = (u_char) n;

        if (i < 3 && (p == last || *p++ != '.')) {
            return NGX_ERROR;
        }
    }

    return (p == last) ? NGX_OK : NGX_ERROR;
}


/* p is at the colon, or at the end */

static ngx_int_t
ngx_egress_addr_set_port(ngx_egress_addr_t *a, u_char *p, u_char *last,
    ngx_uint_t flags)
{
    if (p == last) {

        if (flags & NGX_EGRESS_PORT_REQUIRED) {
            return ngx_egress_addr_failed(a, NGX_EGRESS_ADDR_NO_PORT);
        }

        a->port = (in_port_t) (flags & 0xffff);

        return NGX_OK;
    }

    a->port = ngx_egress_addr_port(p + 1, last - p - 1);

    if (a->port == 0) {
        return ngx_egress_addr_failed(a, NGX_EGRESS_ADDR_PORT);
    }

    return NGX_OK;
}


in_port_t
ngx_egress_addr_port(u_char *p, size_t len)
{
    size_t      i;
    ngx_uint_t  n;

    if (len == 0 || len > 5 || *p == '0') {
        return 0;
    }

    n = 0;

    for (i = 0; i < len; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return 0;
        }

        n = n * 10 + (p[i] - '0');
    }

    return (n > 65535) ? 0 : (in_port_t) n;
}


static ngx_int_t
ngx_egress_addr_failed(ngx_egress_addr_t *a, ngx_uint_t error)
{
    a->error = (u_char) error;
    a->family = AF_UNSPEC;
    a->port = 0;
    ngx_str_null(&a->host);

    return NGX_ERROR;
}


void
ngx_egress_addr_in(ngx_egress_addr_t *a, u_char *buf, u_char *ip,
    in_port_t port)
{
    ngx_memcpy(a->ip.bytes, ip, 4);

    a->family = AF_INET;
    a->error = NGX_EGRESS_ADDR_OK;
    a->port = port;
    a->host.data = buf;
    a->host.len = ngx_egress_addr_print_ip(buf, AF_INET, ip) - buf;
}


void
ngx_egress_addr_in6(ngx_egress_addr_t *a, u_char *buf, u_char *ip,
    in_port_t port)
{
    ngx_memcpy(a->ip.bytes, ip, 16);

    a->family = AF_INET6;
    a->error = NGX_EGRESS_ADDR_OK;
    a->port = port;
    a->host.data = buf;
    a->host.len = ngx_egress_addr_print_ip(buf, AF_INET6, ip) - buf;
}


ngx_int_t
ngx_egress_addr_from_sockaddr(ngx_egress_addr_t *a, u_char *buf,
    struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        ngx_egress_addr_in(a, buf, (u_char *) &sin->sin_addr,
                           ntohs(sin->sin_port));
        return NGX_OK;

    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        ngx_egress_addr_in6(a, buf, (u_char *) &sin6->sin6_addr,
                            ntohs(sin6->sin6_port));
        return NGX_OK;

    default:
        return NGX_DECLINED;
    }
}


socklen_t
ngx_egress_addr_sockaddr(ngx_egress_addr_t *a, struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    switch (a->family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        ngx_memzero(sin, sizeof(struct sockaddr_in));
        sin->sin_family = AF_INET;
        sin->sin_port = htons(a->port);
        sin->sin_addr = a->ip.v4;
        return sizeof(struct sockaddr_in);

    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        ngx_memzero(sin6, sizeof(struct sockaddr_in6));
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(a->port);
        sin6->sin6_addr = a->ip.v6;
        return sizeof(struct sockaddr_in6);

    default:
        return 0;
    }
}


u_char *
ngx_egress_addr_print(u_char *buf, ngx_egress_addr_t *a)
{
    u_char  *p;

    p = buf;

    if (a->family == AF_INET6) {
        *p++ = '[';
        p = ngx_egress_addr_print_v6(p, a->ip.bytes);
        *p++ = ']';

    } else {
        p = ngx_cpymem(p, a->host.data, a->host.len);
    }

    if (a->port) {
        *p++ = ':';
        p = ngx_egress_addr_print_dec(p, a->port);
    }

    return p;
}


u_char *
ngx_egress_addr_print_ip(u_char *buf, ngx_uint_t family, u_char *ip)
{
    u_char      *p;
    ngx_uint_t   i;

    if (family == AF_INET6) {
        return ngx_egress_addr_print_v6(buf, ip);
    }

    p = ngx_egress_addr_print_dec(buf, ip[0]);

    for (i = 1; i < 4; i++) {
        *p++ = '.';
        p = ngx_egress_addr_print_dec(p, ip[i]);
    }

    return p;
}


u_char *
ngx_egress_addr_print_port(u_char *buf, in_port_t port)
{
    return ngx_egress_addr_print_dec(buf, port);
}


static u_char *
ngx_egress_addr_print_dec(u_char *p, ngx_uint_t n)
{
    u_char      *end;
    ngx_uint_t   m;

    end = p + 1;

    for (m = n; m > 9; m /= 10) {
        end++;
    }

    p = end;

    do {
        *--p = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    return end;
}


static u_char *
ngx_egress_addr_print_hex(u_char *p, ngx_uint_t n)
{
    ngx_int_t  shift;

    for (shift = 12; shift > 0 && n >> shift == 0; shift -= 4) { /* void */ }

    for ( /* void */ ; shift >= 0; shift -= 4) {
        *p++ = (u_char) "0123456789abcdef"[(n >> shift) & 0xf];
    }

    return p;
}


/* RFC 5952: "::" is the first longest run of at least two zero groups */

static u_char *
ngx_egress_addr_print_v6(u_char *p, u_char *ip)
{
    ngx_uint_t  i, run, best, max;

    best = 8;
    max = 1;
    run = 0;

    for (i = 0; i < 8; i++) {
        run = ngx_egress_get16(&ip[2 * i]) ? 0 : run + 1;

        if (run > max) {
            max = run;
            best = i + 1 - run;
        }
    }

    for (i = 0; i < 8; i++) {

        if (i == best) {
            *p++ = ':';
            i += max - 1;

            if (i == 7) {
                *p++ = ':';
            }

            continue;
        }

        if (i) {
            *p++ = ':';
        }

        p = ngx_egress_addr_print_hex(p, ngx_egress_get16(&ip[2 * i]));
    }

    return p;
}


char *
ngx_egress_addr_strerror(ngx_uint_t error)
{
    return (error < NGX_EGRESS_ADDR_ERRORS) ? ngx_egress_addr_errors[error]
                                            : "unknown error";
}
