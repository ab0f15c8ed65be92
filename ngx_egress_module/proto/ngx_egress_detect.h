
/*
 * Copyright (C) ngx_egress authors
 *
 * Tells protocols apart by the first bytes a client sends.
 */


#ifndef _NGX_EGRESS_DETECT_H_INCLUDED_
#define _NGX_EGRESS_DETECT_H_INCLUDED_


#include "ngx_egress_proto.h"


/* enough bytes for any answer but NGX_EGRESS_DETECT_MORE */
#define NGX_EGRESS_DETECT_LEN  33


typedef enum {
    NGX_EGRESS_DETECT_MORE = 0,       /* ask again with more bytes */
    NGX_EGRESS_DETECT_UNKNOWN,
    NGX_EGRESS_DETECT_TLS,
    NGX_EGRESS_DETECT_HTTP1,
    NGX_EGRESS_DETECT_HTTP2,          /* the preface of RFC 9113, 3.4 */
    NGX_EGRESS_DETECT_SOCKS4,         /* and 4a */
    NGX_EGRESS_DETECT_SOCKS5,
    NGX_EGRESS_DETECT_PP1,            /* PROXY protocol */
    NGX_EGRESS_DETECT_PP2
} ngx_egress_detect_e;


/* p is the beginning; an answer does not change with what follows */
ngx_egress_detect_e ngx_egress_detect(u_char *p, size_t len);


#endif /* _NGX_EGRESS_DETECT_H_INCLUDED_ */
