/*
 * Copyright (C) ngx_egress authors
 *
 * Text of a client or a peer, made fit for one line of a log.
 */

#ifndef _NGX_EGRESS_TEXT_H_INCLUDED_
#define _NGX_EGRESS_TEXT_H_INCLUDED_


#include "ngx_egress_proto.h"


#define NGX_EGRESS_TEXT_LEN  256           /* of a text for a log line */


/*
 * *text becomes what can be read of s, in buf (NGX_EGRESS_TEXT_LEN bytes):
 * quotes, backslashes and all but printable ASCII are written as \xXX; what
 * does not fit is left out, and "..." says so.
 */
void ngx_egress_text(ngx_str_t *text, u_char *buf, ngx_str_t *s);

/*
 * For a line with text of clients inside: control characters but tabs as
 * \xXX.  Needs 4 * s->len bytes, returns the end.
 */
u_char *ngx_egress_text_line(u_char *p, ngx_str_t *s);


#endif /* _NGX_EGRESS_TEXT_H_INCLUDED_ */
