
/*
 * Copyright (C) ngx_egress authors
 *
 * The one parser of "host", "host:port" and raw addresses.  Rules, logs, TLVs
 * and connect(2) all go through it: two parsers that disagree are a bypass.
 */


#ifndef _NGX_EGRESS_ADDR_H_INCLUDED_
#define _NGX_EGRESS_ADDR_H_INCLUDED_


#include "ngx_egress_proto.h"


#define NGX_EGRESS_HOST_LEN    253     /* RFC 1035, without the last dot */
#define NGX_EGRESS_LABEL_LEN   63

/* the longest text of an IP address, without brackets */
#define NGX_EGRESS_IP_LEN                                                     \
    (sizeof("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") - 1)

/* the longest result of ngx_egress_addr_print() */
#define NGX_EGRESS_ADDR_LEN    (NGX_EGRESS_HOST_LEN + sizeof("[]:65535") - 1)


/* flags of ngx_egress_addr_parse(): one of */

#define NGX_EGRESS_PORT_OPTIONAL    0         /* port is 0 if not given */
#define NGX_EGRESS_PORT_REQUIRED    0x10000
#define NGX_EGRESS_PORT_DEFAULT(n)  ((n) & 0xffff)


typedef enum {
    NGX_EGRESS_ADDR_OK = 0,
    NGX_EGRESS_ADDR_EMPTY,            /* no host */
    NGX_EGRESS_ADDR_TOO_LONG,         /* name of more than 253 bytes */
    NGX_EGRESS_ADDR_EMPTY_LABEL,      /* "a..b", ".a", "." */
    NGX_EGRESS_ADDR_LONG_LABEL,       /* label of more than 63 bytes */
    NGX_EGRESS_ADDR_ZERO,             /* embedded zero */
    NGX_EGRESS_ADDR_CHAR,             /* no letter, digit, "-", "_", "." */
    NGX_EGRESS_ADDR_BRACKETS,         /* unpaired "[", or junk after "]" */
    NGX_EGRESS_ADDR_NO_BRACKETS,      /* IPv6 before a port needs them */
    NGX_EGRESS_ADDR_IPV6,             /* not an IPv6 address in brackets */
    NGX_EGRESS_ADDR_ZONE,             /* IPv6 zone identifier */
    NGX_EGRESS_ADDR_IPV4,             /* decimal, octal, hex or short form */
    NGX_EGRESS_ADDR_NO_PORT,
    NGX_EGRESS_ADDR_PORT,             /* not 1..65535 in plain digits */
    NGX_EGRESS_ADDR_ERRORS
} ngx_egress_addr_error_e;


typedef struct {
    ngx_str_t            host;        /* lower case, no brackets, no last
                                         dot; IPv6 as RFC 5952 writes it */
    in_port_t            port;        /* host byte order, 0: none given */

    unsigned             family:16;   /* AF_INET, AF_INET6: host is a literal;
                                         AF_UNSPEC: host is a name */
    unsigned             error:8;     /* ngx_egress_addr_error_e */

    union {                           /* network byte order, if a literal */
        struct in_addr   v4;
        struct in6_addr  v6;
        u_char           bytes[16];
    } ip;
} ngx_egress_addr_t;


/*
 * Parses "host:port".  Fills *a, which needs no initialization, and writes
 * a->host to buf: the caller's, at least len bytes, may be p itself.  A host
 * is an A-label name, a dotted quad, or an IPv6 address in brackets; nothing
 * is converted.  NGX_ERROR: a->error tells why, a->host is empty.
 */
ngx_int_t ngx_egress_addr_parse(ngx_egress_addr_t *a, u_char *buf, u_char *p,
    size_t len, ngx_uint_t flags) ngx_egress_must_check;

/* The same for a host without a port; IPv6 with or without brackets. */
ngx_int_t ngx_egress_addr_host(ngx_egress_addr_t *a, u_char *buf, u_char *p,
    size_t len) ngx_egress_must_check;

/* Strict digits, 1..65535, host byte order; 0: malformed. */
in_port_t ngx_egress_addr_port(u_char *p, size_t len);

/*
 * Fill *a from raw addresses: ip in network order, 4 or 16 bytes, port in
 * host order.  buf has NGX_EGRESS_IP_LEN bytes and receives a->host.
 */
void ngx_egress_addr_in(ngx_egress_addr_t *a, u_char *buf, u_char *ip,
    in_port_t port);
void ngx_egress_addr_in6(ngx_egress_addr_t *a, u_char *buf, u_char *ip,
    in_port_t port);

/* NGX_DECLINED: neither AF_INET nor AF_INET6 */
ngx_int_t ngx_egress_addr_from_sockaddr(ngx_egress_addr_t *a, u_char *buf,
    struct sockaddr *sa) ngx_egress_must_check;

/*
 * Fills *sa (room for a sockaddr_in6) of a literal and returns its length,
 * or returns 0 if a is a name.
 */
socklen_t ngx_egress_addr_sockaddr(ngx_egress_addr_t *a, struct sockaddr *sa);

/*
 * Writes "host:port", or "host" if the port is 0, with brackets around IPv6:
 * at most NGX_EGRESS_ADDR_LEN bytes.  Returns the end.
 */
u_char *ngx_egress_addr_print(u_char *buf, ngx_egress_addr_t *a);

/* Writes the text of an address of AF_INET or AF_INET6; returns the end. */
u_char *ngx_egress_addr_print_ip(u_char *buf, ngx_uint_t family, u_char *ip);

/* Writes at most 5 digits, returns the end. */
u_char *ngx_egress_addr_print_port(u_char *buf, in_port_t port);

/* A phrase for the log, never NULL. */
char *ngx_egress_addr_strerror(ngx_uint_t error);


#endif /* _NGX_EGRESS_ADDR_H_INCLUDED_ */
