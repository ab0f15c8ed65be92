
/*
 * Copyright (C) ngx_egress authors
 *
 * The PROXY protocol, versions 1 and 2, both directions, with TLVs.
 *
 * Readers take what has arrived so far, from its first byte, in one piece
 * and keep nothing between calls: NGX_AGAIN tells how many bytes to have
 * before it is worth asking again.  A header that is shorter than what has
 * arrived is judged without looking at the rest.
 */


#ifndef _NGX_EGRESS_PP2_H_INCLUDED_
#define _NGX_EGRESS_PP2_H_INCLUDED_


#include "ngx_egress_proto.h"


#define NGX_EGRESS_PP1_LEN          107   /* the longest, with CRLF */
#define NGX_EGRESS_PP2_HEAD_LEN     16
#define NGX_EGRESS_PP2_UNIX_LEN     108
#define NGX_EGRESS_PP2_ADDR_LEN     (2 * NGX_EGRESS_PP2_UNIX_LEN)
#define NGX_EGRESS_PP2_TLV_LEN      3     /* type and length */
#define NGX_EGRESS_PP2_CRC_LEN      4

/* types of the specification */

#define NGX_EGRESS_PP2_ALPN         0x01
#define NGX_EGRESS_PP2_AUTHORITY    0x02
#define NGX_EGRESS_PP2_CRC32C       0x03
#define NGX_EGRESS_PP2_NOOP         0x04
#define NGX_EGRESS_PP2_UNIQUE_ID    0x05
#define NGX_EGRESS_PP2_SSL          0x20
#define NGX_EGRESS_PP2_NETNS        0x30

/* types of diverted connections */

#define NGX_EGRESS_PP2_TARGET       0xe0  /* "host:port", always there */
#define NGX_EGRESS_PP2_TLS_NAME     0xe1
#define NGX_EGRESS_PP2_USERNAME     0xe2
#define NGX_EGRESS_PP2_TASK_ID      0xe3  /* 16 bytes of a UUID */


typedef enum {
    NGX_EGRESS_PP2_OK = 0,
    NGX_EGRESS_PP2_NO_HEADER,         /* something else than PROXY came */
    NGX_EGRESS_PP2_VERSION,           /* neither LOCAL nor PROXY of version 2 */
    NGX_EGRESS_PP2_FAMILY,            /* unassigned family or protocol */
    NGX_EGRESS_PP2_SHORT,             /* no room for the addresses */
    NGX_EGRESS_PP2_TOO_LONG,
    NGX_EGRESS_PP2_BAD_TLV,           /* runs over the end of the header */
    NGX_EGRESS_PP2_BAD_CRC,
    NGX_EGRESS_PP2_BAD_V1,            /* malformed line of version 1 */
    NGX_EGRESS_PP2_ERRORS
} ngx_egress_pp2_error_e;


typedef struct {
    unsigned        local:1;          /* LOCAL, or UNKNOWN of version 1: keep
                                         the connection's own addresses */
    unsigned        version:2;        /* 1, 2 */
    unsigned        error:8;          /* ngx_egress_pp2_error_e */

    ngx_uint_t      family;           /* AF_INET, AF_INET6, AF_UNIX, or
                                         AF_UNSPEC: no addresses */
    ngx_uint_t      type;             /* SOCK_STREAM, SOCK_DGRAM, 0: unknown */

    ngx_sockaddr_t  src;              /* of the family; a path of 108 bytes */
    ngx_sockaddr_t  dst;              /* has no final zero */

    ngx_str_t       tlvs;             /* readers: inside the input; none if
                                         local */
    size_t          size;             /* readers: of the whole header */
    size_t          need;             /* readers, with NGX_AGAIN: bytes to have
                                         from the first one on */
} ngx_egress_pp2_t;


typedef struct {
    ngx_uint_t      type;             /* 0..255 */
    ngx_str_t       value;            /* binary, inside the input */
} ngx_egress_pp2_tlv_t;


typedef struct {
    u_char         *start;
    u_char         *pos;
    u_char         *end;
    u_char         *crc;              /* value of the CRC TLV, or NULL */
} ngx_egress_pp2_writer_t;


/*
 * Read a header of version 2, of version 1, or of either.  pp needs no
 * initialization.  max bounds the size of the whole header, 0: no bound but
 * the protocol's.  After NGX_OK all TLVs are well-formed, and a CRC32C, if
 * there is one, is right.  NGX_ERROR: pp->error is set.
 */
ngx_int_t ngx_egress_pp2_read(ngx_egress_pp2_t *pp, u_char *p, size_t len,
    size_t max) ngx_egress_must_check;
ngx_int_t ngx_egress_pp1_read(ngx_egress_pp2_t *pp, u_char *p, size_t len)
    ngx_egress_must_check;
ngx_int_t ngx_egress_pp_read(ngx_egress_pp2_t *pp, u_char *p, size_t len,
    size_t max) ngx_egress_must_check;

/*
 * After NGX_OK, with pp->local: sets pp->tlvs to what follows the head p, if
 * that names no family.  A receiver is to discard it; this is for one that
 * knows its sender.  NGX_ERROR: it is no list of TLVs, or its CRC32C is wrong;
 * pp->tlvs stays empty.
 */
ngx_int_t ngx_egress_pp2_local_tlvs(ngx_egress_pp2_t *pp, u_char *p)
    ngx_egress_must_check;

/*
 * Walks TLVs: *rest starts as pp->tlvs and is moved on.  NGX_OK: tlv is
 * filled; NGX_DONE: no more; NGX_ERROR: malformed.
 */
ngx_int_t ngx_egress_pp2_next(ngx_str_t *rest, ngx_egress_pp2_tlv_t *tlv)
    ngx_egress_must_check;

/*
 * NGX_OK: *value is the TLV's; NGX_DECLINED: there is none; NGX_ERROR: there
 * are several, and whoever reads another one would see another connection.
 * *value is empty unless NGX_OK.
 */
ngx_int_t ngx_egress_pp2_find(ngx_str_t *tlvs, ngx_uint_t type,
    ngx_str_t *value) ngx_egress_must_check;

/*
 * Writing version 2: begin, any number of append, append_crc at most once,
 * end.  Of pp the fields local, family, type, src and dst are used.
 * NGX_ERROR: no room in buf, or more than 65535 bytes follow the head; the
 * buffer is then not to be sent.
 */
ngx_int_t ngx_egress_pp2_begin(ngx_egress_pp2_writer_t *w, u_char *buf,
    size_t size, ngx_egress_pp2_t *pp) ngx_egress_must_check;
ngx_int_t ngx_egress_pp2_append(ngx_egress_pp2_writer_t *w, ngx_uint_t type,
    u_char *value, size_t len) ngx_egress_must_check;
ngx_int_t ngx_egress_pp2_append_crc(ngx_egress_pp2_writer_t *w)
    ngx_egress_must_check;

/* Sets the length and the CRC; returns the end of the header. */
u_char *ngx_egress_pp2_end(ngx_egress_pp2_writer_t *w);

/*
 * Writes version 1, at most NGX_EGRESS_PP1_LEN bytes; returns the end.  What
 * it has no words for (LOCAL, unix, datagrams) becomes UNKNOWN.
 */
u_char *ngx_egress_pp1_write(u_char *buf, ngx_egress_pp2_t *pp);

/* CRC-32C (RFC 3720); crc is 0 or what the previous bytes gave */
uint32_t ngx_egress_crc32c(uint32_t crc, u_char *p, size_t len);

/* A phrase for the log, never NULL. */
char *ngx_egress_pp2_strerror(ngx_uint_t error);


#endif /* _NGX_EGRESS_PP2_H_INCLUDED_ */
