/*
 * Copyright (C) ngx_egress authors
 *
 * What is said about a diverted connection: the TLVs of its PROXY header,
 * written by the escaper type divert_tcp and by divert_pass, read by
 * divert_accept.  Knows nothing of http and stream.
 *
 *     ngx_egress_divert_header.c        the header, the names of TLVs
 *     ngx_egress_escape_divert_tcp.c    the escaper type
 *     ngx_stream_divert_module.c        directives of the sender of stream
 *     ngx_stream_divert_pass.c          its sessions: header, TLS, relay
 *     ngx_stream_divert_peer.c          ... and whom they connect to
 *     ngx_stream_divert_accept.c        the receiver
 *     ngx_stream_divert_variable.c      $divert_*
 */

#ifndef _NGX_EGRESS_DIVERT_H_INCLUDED_
#define _NGX_EGRESS_DIVERT_H_INCLUDED_


#include "../ngx_egress_module/ngx_egress.h"
#include "../ngx_egress_module/proto/ngx_egress_pp2.h"


#define NGX_EGRESS_DIVERT_PORT        3128    /* of proxy_addr */
#define NGX_EGRESS_DIVERT_UNIQUE_ID   128     /* longest value, by the
                                                 specification */

/* types of the specification for applications; 0xe0 .. 0xe3 are ours */
#define NGX_EGRESS_DIVERT_TLV_FIRST   0xe4
#define NGX_EGRESS_DIVERT_TLV_LAST    0xef


typedef struct {
    ngx_egress_addr_t     *target;      /* 0xE0 */
    ngx_str_t              tls_name;    /* 0xE1, len 0: left out */
    ngx_str_t              user;        /* 0xE2, len 0: left out */
    u_char                *id;          /* 0xE3, NGX_EGRESS_TASK_ID_LEN */

    ngx_egress_pp2_tlv_t  *tlvs;        /* others; those without a value are */
    ngx_uint_t             ntlvs;       /* left out */

    unsigned               crc:1;       /* add a checksum */
} ngx_egress_divert_t;


/*
 * Makes a complete header of version 2, in pool: the addresses of the client
 * (see ngx_egress_header_addresses()), then the TLVs.  NGX_DECLINED: it would
 * be longer than the protocol allows, logged; NGX_ERROR: out of memory.
 */
ngx_int_t ngx_egress_divert_header(ngx_pool_t *pool, ngx_log_t *log,
    ngx_connection_t *client, ngx_egress_divert_t *dv, ngx_str_t *header);

/*
 * The type of a TLV from its name ("alpn", "authority", "crc32c",
 * "unique_id", "ssl", "netns", in any case) or its number ("0xe4", two
 * hexadecimal digits).  NGX_ERROR: neither.
 */
ngx_int_t ngx_egress_divert_tlv_type(ngx_str_t *name);


extern ngx_egress_escaper_type_t  ngx_egress_divert_tcp;


#endif /* _NGX_EGRESS_DIVERT_H_INCLUDED_ */
