/*
 * Copyright (C) ngx_egress authors
 *
 * What configuration code shares: named objects with forward references,
 * blocks read with a command table of their own, setters, and the macros
 * that hide differences between nginx versions (nowhere else is a version or
 * a NGX_EGRESS_* feature tested but in serve/'s CONNECT parser).
 */

#ifndef _NGX_EGRESS_CONF_H_INCLUDED_
#define _NGX_EGRESS_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_EGRESS_MAX_BLOCK_TABLES  5


/*
 * Anything that has a name in egress { }.  "file" and "line" tell where it
 * was declared, or, as long as it is not, where it was first used.
 */

typedef struct {
    ngx_str_t         name;
    ngx_str_t         file;
    ngx_uint_t        line;
    unsigned          declared:1;
} ngx_egress_object_t;


/* A command table and the structure its offsets refer to. */
typedef struct {
    ngx_command_t    *commands;
    void             *conf;
} ngx_egress_block_t;


/*
 * Reads the block that the current directive has opened; only commands of
 * the given tables, and "include", are known inside.  The commands must have
 * type NGX_EGRESS_CONF and conf 0.  Arity, unknown and misplaced words are
 * reported by the core.
 */

#define NGX_EGRESS_CONF              0x80000000

char *ngx_egress_conf_block(ngx_conf_t *cf, ngx_egress_block_t *blocks,
    ngx_uint_t n);

/*
 * The type that the second argument of "KIND NAME TYPE { }" names, in an array
 * of n pointers to structures that begin with an ngx_str_t, their name.  NULL:
 * there is none, logged with those that there are.
 */
void *ngx_egress_conf_type(ngx_conf_t *cf, void *types, ngx_uint_t n);


/*
 * Finds the object of that name in an array of pointers to structures that
 * begin with an ngx_egress_object_t, or makes a zeroed one of "size" bytes,
 * remembering file and line.  NULL: no name, logged, or out of memory.
 */
void *ngx_egress_object_ref(ngx_conf_t *cf, ngx_array_t *objects,
    ngx_str_t *name, size_t size);

/* Remembers that it stands at the directive that is being read. */
void ngx_egress_object_here(ngx_conf_t *cf, ngx_egress_object_t *object);

/* Marks it declared here; NGX_CONF_ERROR, logged, if it already was. */
char *ngx_egress_object_declare(ngx_conf_t *cf, ngx_egress_object_t *object);

/*
 * [emerg] "... in FILE:LINE" for an object, for checks that run after its
 * file has been read.  Returns NGX_CONF_ERROR.
 */
char *ngx_cdecl ngx_egress_conf_error(ngx_conf_t *cf,
    ngx_egress_object_t *object, const char *fmt, ...);


/*
 * Has check() called when the whole file has been read and all listening
 * sockets are known, before the objects are checked.  data must stay.
 */

typedef char *(*ngx_egress_conf_check_pt)(ngx_conf_t *cf, void *data);

char *ngx_egress_conf_defer(ngx_conf_t *cf, ngx_egress_conf_check_pt check,
    void *data);


/*
 * The arguments of a tcp_sock_speed_limit: a rate for both directions, or
 * "upload=" and "download=".  Sets what is named; a phrase on an error.
 */
char *ngx_egress_conf_speed_limit(ngx_conf_t *cf, size_t *upload,
    size_t *download);

/*
 * Parses such a rate, bytes a second: "10m", "10m/s"; 0, "0" or "off": no
 * limit.  NGX_ERROR: malformed.
 */
ssize_t ngx_egress_parse_rate(ngx_str_t *value);

/*
 * If "arg" is "key=value" and begins with "key=": sets *value to what follows
 * and returns 1.
 */
ngx_uint_t ngx_egress_conf_param(ngx_str_t *arg, const char *key,
    ngx_str_t *value);


/* Directives seen once: the phrase of the core. */
#define ngx_egress_is_duplicate      "is duplicate"


/*
 * Compatibility.  Each macro is decided by a feature test of "config", the
 * version in the comment only tells when the core changed.
 */

/* 1.23.0: repeated header fields are linked through h->next */
#if (NGX_EGRESS_LINKED_HEADERS)
#define ngx_egress_header_end(h)     (h)->next = NULL
#else
#define ngx_egress_header_end(h)
#endif

/* 1.23.2: TLVs of the PROXY protocol are kept */
#if (NGX_EGRESS_PP_TLV)
#define ngx_egress_proxy_protocol_tlvs(pp, text)  (pp)->tlvs = *(text)
#else
#define ngx_egress_proxy_protocol_tlvs(pp, text)
#endif

/* 1.25.5: stream got virtual servers, and this name with them */
#if (NGX_EGRESS_STREAM_PORTS)
#define ngx_egress_stream_ssl_conf_t  ngx_stream_ssl_srv_conf_t
#else
#define ngx_egress_stream_ssl_conf_t  ngx_stream_ssl_conf_t
#endif


#endif /* _NGX_EGRESS_CONF_H_INCLUDED_ */
